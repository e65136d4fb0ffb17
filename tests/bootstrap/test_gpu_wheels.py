import pytest

from bootstrap import gpu_wheels
from bootstrap.errors import SetupError
from bootstrap.toolchain import Torch


@pytest.fixture
def collected(tmp_path, monkeypatch):
    """Collect into a folder, with a pip that writes a file for each pin; return both."""
    mmcv, asked = tmp_path / 'mmcv.whl', []
    mmcv.write_text('ops')

    def obtain(venv, requirement, torch, target):
        asked.append(target)
        return mmcv

    def pip(venv, *args):
        folder = next(arg for arg in args if arg.startswith('--wheel-dir=')).split('=')[1]
        for pin in (arg for arg in args if '==' in arg):
            (tmp_path / folder / f'{pin.split("==")[0]}.whl').write_text('wheel')

    monkeypatch.setattr(gpu_wheels, 'installed_torch', lambda venv: Torch('2.11.0+cu130', '13.0'))
    monkeypatch.setattr(gpu_wheels, 'nvcc_version', lambda: '13.0')
    monkeypatch.setattr(gpu_wheels.mmcv_wheel, 'obtain', obtain)
    monkeypatch.setattr(gpu_wheels.pip, 'evaluate', lambda venv, code: 'mmdet==3.3.0 yapf==0.43.0')
    monkeypatch.setattr(gpu_wheels.pip, 'pip', pip)
    folder = tmp_path / 'wheels'
    root = gpu_wheels.Path(gpu_wheels.__file__).parents[1]

    def run(architectures):
        gpu_wheels.collect(root, 'modern', tmp_path / 'venv', architectures, folder)
        return folder, asked[-1]

    return run


def test_the_folder_has_mmcv_for_the_card_and_what_is_around_it(collected):
    folder, target = collected('9.0')
    assert {path.name for path in folder.iterdir()} == {'mmcv.whl', 'mmdet.whl', 'yapf.whl'}
    assert target.cuda and target.variant == 'cu130-9.0'


def test_a_rehearsal_takes_the_ops_of_the_cpu_and_replaces_the_folder(collected):
    folder, _ = collected('9.0')
    (folder / 'old.whl').write_text('old')
    folder, target = collected('')
    assert not target.cuda and not (folder / 'old.whl').exists()


def test_a_folder_that_cannot_be_carried_is_refused(collected, monkeypatch):
    monkeypatch.setattr(gpu_wheels, 'MOST_BYTES', 4)
    with pytest.raises(SetupError, match='more than'):
        collected('9.0')
