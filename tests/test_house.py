"""The rules of the package's layout that no linter knows; import-linter holds its layers."""

from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from tests.coverage_table import COVERED_BY

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / 'mmdet_kdrank', ROOT / 'tests'
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob('*.py'))
RESEARCH = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.glob('experiments/*/**/*.py')
    if {'plans', 'configs'}.isdisjoint(path.parts)
)
TESTED = [name for name in MODULES + RESEARCH if not name.endswith('__init__.py')]
# What a folder has one of, whatever it is about.
OF_EVERY_FOLDER = {'__init__', 'base', 'command'}


def mirror(module: str) -> Path:
    path = TESTS / module
    return path.with_name(f'test_{path.name}')


@pytest.mark.parametrize('module', TESTED)
def test_module_has_its_mirror_test_or_a_line_in_the_table(module):
    mirrored, listed = mirror(module).is_file(), module in COVERED_BY
    assert mirrored or listed, f'write {mirror(module)}, or name its test in coverage_table.py'
    assert not (mirrored and listed), f'{module} has its mirror test: take it out of the table'


@pytest.mark.parametrize(('module', 'test'), COVERED_BY.items())
def test_table_names_files_that_exist(module, test):
    assert module in TESTED and (TESTS / test).is_file()


def test_no_two_modules_have_one_name():
    names = Counter(Path(module).stem for module in MODULES)
    assert {name for name, count in names.items() if count > 1} <= OF_EVERY_FOLDER


def test_files_are_short():
    lines = {name: len((PACKAGE / name).read_text().splitlines()) for name in MODULES}
    assert {name: count for name, count in lines.items() if count > 300} == {}
    assert median(lines.values()) <= 120
