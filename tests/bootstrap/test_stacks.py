import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from bootstrap import stamp
from bootstrap.stacks import (
    STACKS,
    fingerprint,
    mmcv_file,
    mmcv_requirement,
    pinned,
    requirement_files,
)
from mmdet_kdrank.environment.families import FAMILIES, SHARED, release

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('stack', STACKS)
def test_every_requirement_is_pinned(stack):
    for file in requirement_files(ROOT, stack):
        lines = [line for line in file.read_text().splitlines() if line and line[0] != '#']
        assert lines
        assert all(re.match(r'[\w-]+==[\w.]+(; python_version .+)?$', line) for line in lines), file


@pytest.mark.parametrize('stack', STACKS)
def test_pins_lie_within_the_packages_bounds(stack):
    file = requirement_files(ROOT, stack)[0]
    bounds = {**SHARED, **FAMILIES[stack == 'modern'].bounds}
    for name, bound in bounds.items():
        where = mmcv_file(ROOT, stack) if name == 'mmcv' else file
        assert bound.admits(pinned(where, bound.package)), bound


def test_classic_stays_below_numpy_2():
    file = requirement_files(ROOT, 'classic')[0]
    assert release(pinned(file, 'numpy')) < (2,)
    assert release(pinned(file, 'opencv-python')) < (4, 12)


@pytest.mark.parametrize('stack', STACKS)
def test_mmcv_is_apart(stack):
    assert re.fullmatch(r'(onedl-)?mmcv==\d+\.\d+\.\d+', mmcv_requirement(ROOT, stack))
    for file in requirement_files(ROOT, stack):
        assert 'mmcv==' not in file.read_text()


def test_unpinned_package_is_an_error(tmp_path):
    file = tmp_path / 'some.txt'
    file.write_text('torch>=2\n')
    with pytest.raises(ValueError, match='some.txt pins no torch'):
        pinned(file, 'torch')


def test_fingerprint_changes_with_each_part(tmp_path):
    (tmp_path / 'requirements').mkdir()
    (tmp_path / 'setup.py').write_text('')
    for name in ('modern', 'classic', 'tests', 'lint', 'mmcv', 'onedl-mmcv'):
        (tmp_path / 'requirements' / f'{name}.txt').write_text(f'{name}==1\n')
    first = fingerprint(tmp_path, 'modern', '3.12.1')
    assert fingerprint(tmp_path, 'modern', '3.12.1') == first
    assert fingerprint(tmp_path, 'classic', '3.12.1') != first
    assert fingerprint(tmp_path, 'modern', '3.12.2') != first
    (tmp_path / 'mmdet_kdrank' / 'ops' / 'csrc').mkdir(parents=True)
    (tmp_path / 'mmdet_kdrank' / 'ops' / 'csrc' / 'native.c').write_text('int x;')
    with_code = fingerprint(tmp_path, 'modern', '3.12.1')
    assert with_code != first
    (tmp_path / 'requirements' / 'onedl-mmcv.txt').write_text('onedl-mmcv==2\n')
    assert fingerprint(tmp_path, 'modern', '3.12.1') not in (first, with_code)


@pytest.mark.skipif(stamp.read(Path(sys.prefix)) is None, reason='no environment of make setup')
def test_installed_packages_fit_together():
    done = subprocess.run(
        [sys.executable, '-m', 'pip', 'check'], capture_output=True, text=True, cwd=ROOT
    )
    conflicts = done.stdout.splitlines() if done.returncode else []
    # Without libGL set-up puts opencv-python-headless, the same modules, in its place.
    swapped = any(found.name == 'opencv-python-headless' for found in distributions())
    assert [c for c in conflicts if not (swapped and 'requires opencv-python,' in c)] == []
