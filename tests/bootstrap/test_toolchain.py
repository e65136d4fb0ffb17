import pytest

from bootstrap import toolchain
from bootstrap.errors import SetupError
from bootstrap.toolchain import Target, Torch, build_environ, choose_target, require_compiler

NO_CARD = Torch('2.11.0+cu130', '13.0')
CARD = Torch('2.11.0+cu130', '13.0', ('9.0',))
CPU_TORCH = Torch('2.11.0+cpu', None)


@pytest.mark.parametrize(
    'torch, nvcc, force, variant, explanation',
    [
        (CPU_TORCH, None, None, 'cpu', ''),
        (NO_CARD, None, None, 'cpu', ''),
        (NO_CARD, '13.0', None, 'cpu', 'FORCE_CUDA=1 builds CUDA ops'),
        (NO_CARD, '12.4', None, 'cpu', ''),
        (NO_CARD, '13.0', '0', 'cpu', ''),
        (NO_CARD, '13.0', '1', 'cu130', 'TORCH_CUDA_ARCH_LIST'),
        (CARD, '13.0', None, 'cu130-9.0', ''),
        (CARD, '13.0', '1', 'cu130-9.0', ''),
        (CARD, '13.0', '0', 'cpu', ''),
        (CARD, None, None, 'cpu', 'a GPU but no CUDA 13.0 toolkit (nvcc: none)'),
        (CARD, '12.4', None, 'cpu', 'nvcc: 12.4'),
    ],
)
def test_cuda_ops_need_a_fitting_toolkit_and_a_card_or_a_word(
    capsys, torch, nvcc, force, variant, explanation
):
    target = choose_target(torch, nvcc, force)
    out = capsys.readouterr().out
    assert target.variant == variant
    assert target.cuda is variant.startswith('cu1')
    assert explanation in out and out.count('\n') == bool(explanation)


@pytest.mark.parametrize('torch, nvcc', [(NO_CARD, None), (CARD, '12.4'), (CPU_TORCH, '13.0')])
def test_forced_cuda_without_its_toolkit_is_an_error(torch, nvcc):
    with pytest.raises(SetupError, match=r'FORCE_CUDA=1 needs a CUDA toolkit .* set CUDA_HOME'):
        choose_target(torch, nvcc, '1')


def test_given_architectures_win_and_enter_the_key():
    target = choose_target(CARD, '13.0', '1', '8.0;9.0+PTX')
    assert target == Target(True, 'cu130-8.0_9.0+PTX', '8.0;9.0+PTX')


def test_missing_compiler_is_one_line_with_the_package(monkeypatch):
    monkeypatch.setattr(toolchain.shutil, 'which', lambda name: None)
    monkeypatch.delenv('CXX', raising=False)
    with pytest.raises(SetupError, match=r'apt install g\+\+.*dnf install gcc-c\+\+') as info:
        require_compiler('3.12')
    assert '\n' not in str(info.value) and 'MMCV_FIND_LINKS' in str(info.value)


def test_missing_headers_are_one_line_with_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr(toolchain.shutil, 'which', lambda name: f'/usr/bin/{name}')
    with pytest.raises(SetupError, match='apt install python3.12-dev.*python3.12-devel') as info:
        require_compiler('3.12', str(tmp_path))
    assert '\n' not in str(info.value)
    (tmp_path / 'Python.h').touch()
    require_compiler('3.12', str(tmp_path))


@pytest.fixture
def site_packages(tmp_path):
    folder = tmp_path / 'lib' / 'python3.12' / 'site-packages'
    (folder / 'nvidia' / 'cu13' / 'include').mkdir(parents=True)
    return folder


def test_cpu_build_sees_no_card(monkeypatch, site_packages):
    monkeypatch.setenv('CFLAGS', '-march=native')
    monkeypatch.setenv('PYTHONPATH', '/elsewhere')
    env = build_environ(Target(False, 'cpu'), site_packages)
    assert env['CUDA_VISIBLE_DEVICES'] == ''
    assert env['FORCE_CUDA'] == '0'
    assert env['CFLAGS'].startswith('-march=native') and '-g0' in env['CFLAGS']
    assert env['PATH'].startswith(str(site_packages.parents[2] / 'bin'))
    assert 'PYTHONPATH' not in env


def test_cuda_build_finds_the_headers_of_torchs_own_packages(monkeypatch, site_packages):
    monkeypatch.setenv('CPATH', '/mine')
    env = build_environ(Target(True, 'cu130-9.0', '9.0'), site_packages)
    assert env['CPATH'] == f'{site_packages}/nvidia/cu13/include:/mine'
    assert env['FORCE_CUDA'] == '1'
    assert env['TORCH_CUDA_ARCH_LIST'] == '9.0'


def test_nvcc_is_asked_for_its_version(monkeypatch, tmp_path):
    nvcc = tmp_path / 'bin' / 'nvcc'
    nvcc.parent.mkdir()
    nvcc.write_text('#!/bin/sh\necho "Cuda compilation tools, release 13.0, V13.0.88"\n')
    nvcc.chmod(0o755)
    monkeypatch.setenv('CUDA_HOME', str(tmp_path))
    assert toolchain.nvcc_version() == '13.0'
    monkeypatch.setenv('CUDA_HOME', str(tmp_path / 'none'))
    assert toolchain.nvcc_version() is None
