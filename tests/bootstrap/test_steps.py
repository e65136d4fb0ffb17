import subprocess
import types

import pytest

from bootstrap import stamp, steps
from bootstrap.errors import SetupError
from bootstrap.stamp import Stamp


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Replaces every step that takes time and returns the list of those that ran."""
    ran = []
    monkeypatch.setattr(steps, 'fingerprint', lambda *args: 'abc')
    monkeypatch.delenv('FORCE_CUDA', raising=False)
    for name in ('_preflight', '_install_pins', 'fix_opencv'):
        monkeypatch.setattr(steps, name, lambda *args, name=name: ran.append(name))
    monkeypatch.setattr(steps, 'create_venv', lambda venv: (ran.append('venv'), venv.mkdir()))
    monkeypatch.setattr(steps, '_install_mmcv', lambda *args: ran.append('mmcv') or 'cpu')
    monkeypatch.setattr(steps.pip, 'pip', lambda venv, *args: ran.append('package'))
    return ran


def test_second_set_up_does_nothing(tmp_path, calls):
    venv = tmp_path / '.venv'
    steps.set_up(tmp_path, 'modern', venv)
    assert calls == ['_preflight', 'venv', '_install_pins', 'fix_opencv', 'mmcv', 'package']
    assert stamp.read(venv) == Stamp('abc', 'cpu')
    steps.set_up(tmp_path, 'modern', venv)
    assert len(calls) == 6


def test_interrupted_set_up_is_not_complete(tmp_path, calls, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    venv = tmp_path / '.venv'
    monkeypatch.setattr(steps, '_install_mmcv', interrupt)
    with pytest.raises(KeyboardInterrupt):
        steps.set_up(tmp_path, 'modern', venv)
    assert stamp.read(venv) is None


def test_asking_for_cuda_sets_up_again(tmp_path, calls, monkeypatch):
    venv = tmp_path / '.venv'
    venv.mkdir()
    stamp.write(venv, Stamp('abc', 'cpu'))
    monkeypatch.setattr(steps, 'create_venv', lambda venv: calls.append('venv'))
    monkeypatch.setenv('FORCE_CUDA', '1')
    steps.set_up(tmp_path, 'modern', venv)
    assert 'mmcv' in calls


def fake_import(monkeypatch, returncode, stderr):
    result = types.SimpleNamespace(returncode=returncode, stderr=stderr)
    monkeypatch.setattr(steps.subprocess, 'run', lambda *args, **kwargs: result)
    ran = []
    monkeypatch.setattr(steps.pip, 'pip', lambda venv, *args: ran.append(args))
    monkeypatch.setattr(steps.pip, 'evaluate', lambda *args: '5.0.0.93')
    return ran


def test_opencv_without_libgl_becomes_headless(tmp_path, monkeypatch, capsys):
    error = 'Traceback\nImportError: libGL.so.1: cannot open shared object file'
    ran = fake_import(monkeypatch, 1, error)
    steps.fix_opencv(tmp_path)
    assert [args[0] for args in ran] == ['uninstall', 'install']
    assert ran[1][-1] == 'opencv-python-headless==5.0.0.93'
    out = capsys.readouterr().out
    assert 'libGL.so.1' in out and out.count('\n') == 1


def test_opencv_that_works_is_left_alone(tmp_path, monkeypatch):
    assert fake_import(monkeypatch, 0, '') == []
    steps.fix_opencv(tmp_path)


def test_opencv_broken_otherwise_is_an_error(tmp_path, monkeypatch):
    fake_import(monkeypatch, 1, 'ImportError: numpy.core.multiarray failed to import')
    with pytest.raises(SetupError, match='numpy.core.multiarray failed'):
        steps.fix_opencv(tmp_path)


@pytest.mark.slow
def test_environment_of_this_python_is_kept_and_a_moved_one_rebuilt(tmp_path):
    venv = tmp_path / 'venv'
    steps.create_venv(venv)
    (venv / 'kept').touch()
    steps.create_venv(venv)
    assert (venv / 'kept').exists()
    moved = tmp_path / 'moved'
    venv.rename(moved)
    steps.create_venv(moved)
    assert not (moved / 'kept').exists()
    assert subprocess.run([str(moved / 'bin' / 'pip'), '--version']).returncode == 0
