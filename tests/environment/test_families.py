import pytest

from mmdet_kdrank.environment.families import FAMILIES, MODULES, Bound, release


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


def test_families_bound_the_same_modules_in_other_packages():
    packages = [{family.bounds[module].package for module in MODULES} for family in FAMILIES]
    assert len(set.union(*packages)) == len(MODULES) * len(FAMILIES)


def test_a_family_knows_its_packages_among_the_installed():
    installed = {'mmcv': '2.1.0', 'onedl-mmcv': '2.3.6', 'numpy': '2.3.5'}
    assert [family.installed(installed) for family in FAMILIES] == [
        {'mmcv': '2.1.0'},
        {'onedl-mmcv': '2.3.6'},
    ]
