import pytest

from mmdet_kdrank.environment.bounds import Bound, release


@pytest.mark.parametrize(
    'version, admitted',
    [('2.0.0rc4', True), ('2.1.0', True), ('2.1.99', True), ('2.2.0', False), ('1.9', False)],
)
def test_bounds_are_half_open(version, admitted):
    assert Bound('mmcv', (2, 0, 0), (2, 2, 0)).admits(version) is admitted


def test_release_of_odd_versions():
    assert release('2.11.0+cu130') == (2, 11, 0)
    assert release('0.26.0a0.git1') == (0, 26, 0)
    assert release('unknown') == ()
