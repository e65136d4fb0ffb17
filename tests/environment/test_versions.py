import pytest

from mmdet_kdrank.environment import versions
from mmdet_kdrank.environment.families import SHARED
from mmdet_kdrank.environment.versions import Check, Facts, Fault, family_versions, installed


def test_installed_reads_this_environment():
    facts = installed()
    assert len(facts.families) == 1
    bounds = {**SHARED, **facts.family.bounds}.values()
    assert set(facts.versions) >= {bound.package for bound in bounds}
    assert family_versions(facts).startswith(f"{facts.family.name}'s ")
    assert facts.errors == {}


@pytest.mark.parametrize(
    'installed, recorded',
    [
        ({'mmdet': '3.3.0'}, '3.3.0'),
        ({'onedl-mmdetection': '3.5.1'}, '3.5.1 (onedl-mmdetection)'),
        ({}, 'unknown'),
    ],
)
def test_records_name_the_package_behind_a_module(installed, recorded, monkeypatch):
    monkeypatch.setattr(versions, 'installed', lambda: Facts(installed, (3, 12)))
    assert versions.module_versions()['mmdet'] == recorded


def test_fault_is_written_in_one_line_with_its_fix():
    fault = Fault('the disk is full.', '`rm -r work_dirs`.')
    assert str(fault).startswith('the disk is full. ') and str(fault).endswith('`rm -r work_dirs`.')


def test_check_is_a_name_and_a_probe():
    check = Check('disk', lambda facts: Fault('full.', 'make room.') if facts else None)
    assert check.probe({}) is None and check.probe({'full': True})[0] == 'full.'
