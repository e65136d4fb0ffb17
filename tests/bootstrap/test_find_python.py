import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / 'bootstrap' / 'find_python.sh'


def find(path, stack='modern', given='', existing='', home='/nonexistent'):
    command = ['/bin/sh', str(SCRIPT), stack, given, str(existing)]
    env = {'PATH': str(path), 'HOME': str(home)}
    return subprocess.run(command, env=env, capture_output=True, text=True)


def fake(folder, name, body):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f'#!/bin/sh\n{body}\n')
    file.chmod(0o755)
    return file


def test_first_fitting_python_wins(tmp_path):
    fake(tmp_path, 'python3.12', 'exit 127')
    fake(tmp_path, 'python3.11', 'echo fits')
    fake(tmp_path, 'python3.10', 'echo fits')
    assert find(tmp_path).stdout == f'{tmp_path}/python3.11\n'


def test_existing_environment_goes_first_unless_python_is_given(tmp_path):
    existing = fake(tmp_path / 'venv', 'python', 'echo fits')
    other = fake(tmp_path, 'python3.12', 'echo fits')
    assert find(tmp_path, existing=existing).stdout == f'{existing}\n'
    assert find(tmp_path, given=str(other), existing=existing).stdout == f'{other}\n'


def test_pyenv_versions_are_looked_at(tmp_path):
    python = fake(tmp_path / '.pyenv' / 'versions' / '3.12.9' / 'bin', 'python', 'echo fits')
    fake(tmp_path, 'python3.12', 'echo shim >&2; exit 127')
    assert find(tmp_path, home=tmp_path).stdout == f'{python}\n'


def test_classic_does_not_take_the_newest(tmp_path):
    fake(tmp_path, 'python3.12', 'echo fits')
    result = find(tmp_path, stack='classic')
    assert result.returncode == 1
    assert 'STACK=classic needs Python in one of the versions 3.11 3.10,' in result.stderr


def test_error_names_what_was_found_and_what_is_needed(tmp_path):
    fake(tmp_path, 'python3.12', 'exit 127')
    fake(tmp_path, 'python3', 'echo "Python 3.8.1"')
    result = find(tmp_path)
    assert result.returncode == 1
    assert result.stdout == ''
    assert 'STACK=modern needs Python in one of the versions 3.12 3.11 3.10,' in result.stderr
    assert f'{tmp_path}/python3.12 (does not run)' in result.stderr
    assert f'{tmp_path}/python3 (Python 3.8.1)' in result.stderr
    assert 'make PYTHON=' in result.stderr


def test_no_python_at_all(tmp_path):
    assert 'Found: no Python at all.' in find(tmp_path).stderr


def test_given_python_that_is_not_there(tmp_path):
    fake(tmp_path, 'python3.12', 'echo fits')
    result = find(tmp_path, given='/no/python')
    assert result.returncode == 1
    assert 'PYTHON=/no/python, which does not exist' in result.stderr


def test_unknown_stack(tmp_path):
    result = find(tmp_path, stack='old')
    assert result.returncode == 2
    assert 'use STACK=modern, STACK=openmmlab or STACK=classic' in result.stderr


@pytest.mark.skipif(sys.version_info[:2] > (3, 11), reason='this Python serves one stack only')
def test_this_python_fits_both(tmp_path):
    assert find(tmp_path, 'classic', given=sys.executable).stdout == f'{sys.executable}\n'


def test_this_python_is_judged_by_running_it(tmp_path):
    assert find(tmp_path, given=sys.executable).stdout == f'{sys.executable}\n'
