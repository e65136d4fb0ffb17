import subprocess
import sys
from pathlib import Path

from mmdet_kdrank import doctor
from mmdet_kdrank.environment.known_faults import ALL_CHECKS
from mmdet_kdrank.environment.versions import Facts

ROOT = Path(doctor.__file__).parent.parent


def python(*args):
    return subprocess.run([sys.executable, *args], cwd=ROOT, capture_output=True, text=True)


def test_this_environment_is_sound():
    result = python('-m', 'mmdet_kdrank.doctor')
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == len(ALL_CHECKS) + 1
    assert all(line.endswith('ok') for line in lines[:-1])
    assert lines[-1].startswith('sound: torch ')


def test_broken_environment_is_reported_line_by_line():
    lines, count = doctor.examine(Facts({}, (3, 12, 0), {'CUDA': 'none', 'CUDA ops': 'none'}))
    assert len(lines) == len(ALL_CHECKS)
    assert sum('FAULT' in line for line in lines) == count > 0
    assert any('torch is not installed. Fix: run `make setup`' in line for line in lines)


def test_exit_status_and_closing_line(monkeypatch, capsys):
    monkeypatch.setattr(doctor, 'gather', lambda: Facts({'torch': '2.1'}, (3, 9), {'CUDA': ''}))
    assert doctor.main() == 1
    assert 'fault(s): torch 2.1, no CUDA device' in capsys.readouterr().out


def test_doctor_runs_where_nothing_is_installed():
    result = python('-S', '-m', 'mmdet_kdrank.doctor')
    assert result.returncode == 1, result.stderr
    assert 'torch is not installed' in result.stdout
    assert 'Traceback' not in result.stderr


def test_import_fails_with_one_message_where_nothing_is_installed():
    result = python('-S', '-c', 'import mmdet_kdrank')
    assert result.returncode == 1
    assert 'mmdet_kdrank does not work in this environment' in result.stderr
    assert 'mmcv is not installed. Fix: run `make setup`' in result.stderr
