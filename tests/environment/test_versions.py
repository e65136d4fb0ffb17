import pytest

from mmdet_kdrank.environment.versions import PACKAGES, Bound, Check, Fault, installed, release


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


def test_installed_reads_this_environment():
    facts = installed()
    assert set(facts.versions) >= {bound.package for bound in PACKAGES}
    assert facts.errors == {}


def test_fault_is_written_in_one_line_with_its_fix():
    fault = Fault('the disk is full.', '`rm -r work_dirs`.')
    assert str(fault).startswith('the disk is full. ') and str(fault).endswith('`rm -r work_dirs`.')


def test_check_is_a_name_and_a_probe():
    check = Check('disk', lambda facts: Fault('full.', 'make room.') if facts else None)
    assert check.probe({}) is None and check.probe({'full': True})[0] == 'full.'
