import io
import sys
import tarfile

import pytest

from bootstrap import mmcv_wheel
from bootstrap.errors import SetupError
from bootstrap.toolchain import Target, Torch

TORCH = Torch('2.11.0+cu130', '13.0')
CPU = Target(False, 'cpu')

# Stands in for mmcv's own: prints as ninja does and leaves a wheel, unless it is told to fail.
SETUP_PY = """
import os, pathlib, sys
runs = pathlib.Path('runs')
runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')
for n in (1, 2):
    print(f'[{n}/2] c++ -c {n}.cpp', flush=True)
if os.environ.get('BREAK'):
    sys.exit('x.cpp:1:1: error: no such thing')
pathlib.Path('dist').mkdir()
pathlib.Path('dist/mmcv-2.1.0-cp312-cp312-linux_x86_64.whl').write_text('wheel')
"""


@pytest.fixture
def venv(tmp_path, monkeypatch):
    """A fake environment whose pip 'downloads' a fake mmcv; returns its path."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(mmcv_wheel.pip, 'venv_python', lambda venv: sys.executable)
    monkeypatch.setattr(mmcv_wheel.pip, 'evaluate', lambda venv, code: str(tmp_path / 'a/b/c/d'))
    monkeypatch.setattr(mmcv_wheel, 'require_compiler', lambda python: None)

    def download(venv, *args):
        folder = next(arg for arg in args if arg.startswith('--dest=')).removeprefix('--dest=')
        mmcv_wheel.Path(folder).mkdir(parents=True)
        source = args[-1].replace('-', '_').replace('==', '-')
        with tarfile.open(f'{folder}/{source}.tar.gz', 'w:gz') as tar:
            for name, text in {
                'setup.py': SETUP_PY,
                'mmcv/ops/csrc/pytorch/a.cpp': '',
                'mmcv/ops/csrc/pytorch/cpu/b.cpp': '',
                'mmcv/ops/csrc/pytorch/cuda/c.cu': '',
            }.items():
                info = tarfile.TarInfo(f'{source}/{name}')
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text.encode()))

    monkeypatch.setattr(mmcv_wheel.pip, 'pip', download)
    return tmp_path / 'venv'


def obtain(venv, requirement='mmcv==2.1.0'):
    return mmcv_wheel.obtain(venv, requirement, TORCH, CPU)


@pytest.mark.parametrize('name', ['mmcv', 'onedl-mmcv'])
def test_wheel_is_built_once(name, venv, capsys):
    wheel = obtain(venv, f'{name}==2.1.0')
    assert wheel.read_text() == 'wheel'
    assert wheel.parent.name.startswith(
        f'{mmcv_wheel.python_tag()}-torch2.11.0+cu130-{name}2.1.0-cpu'
    )
    out = capsys.readouterr().out
    assert 'compiling 2 files' in out and '[2/2] files compiled' in out
    assert not (wheel.parent / 'source').exists()
    assert obtain(venv, f'{name}==2.1.0') == wheel
    assert capsys.readouterr().out == ''


def test_failure_shows_the_error_and_keeps_what_was_compiled(venv, monkeypatch):
    monkeypatch.setenv('BREAK', '1')
    with pytest.raises(SetupError, match=r'build\.log.*(?s:.*)error: no such thing'):
        obtain(venv)
    monkeypatch.delenv('BREAK')
    monkeypatch.setattr(mmcv_wheel.pip, 'pip', None)
    assert obtain(venv).is_file()


def test_cached_wheel_is_found_before_torch_is_there(venv):
    assert not mmcv_wheel.likely_cached('mmcv==2.1.0', '2.11.0')
    obtain(venv)
    assert mmcv_wheel.likely_cached('mmcv==2.1.0', '2.11.0')
    assert not mmcv_wheel.likely_cached('mmcv==2.1.0', '2.1.2')


def test_key_tells_apart_whatever_breaks_the_abi():
    keys = {
        mmcv_wheel.wheel_key(requirement, torch, variant)
        for requirement in ('mmcv==2.1.0', 'onedl-mmcv==2.1.0')
        for torch in ('2.1.2+cu121', '2.11.0+cu130', '2.11.0+cpu')
        for variant in ('cpu', 'cu130-9.0')
    }
    assert len(keys) == 12


def test_cache_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert mmcv_wheel.cache_dir() == tmp_path / 'mmdet_kdrank' / 'mmcv'
    monkeypatch.setenv('XDG_CACHE_HOME', '')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert mmcv_wheel.cache_dir() == tmp_path / '.cache' / 'mmdet_kdrank' / 'mmcv'
