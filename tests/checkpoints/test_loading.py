import hashlib
import os
import pickle
import subprocess
import sys
import types
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.fileio import LocalBackend
from mmengine.fileio import io as fileio
from mmengine.fileio.backends import prefix_to_backends
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from torch.utils.data import Dataset

from mmdet_kdrank.checkpoints.detector_weights import detector_weights
from mmdet_kdrank.checkpoints.loading import (
    SAFE_BY_DEFAULT,
    allow_mmengine_checkpoints,
    load_checkpoint,
)
from mmdet_kdrank.checkpoints.safe_globals import allowed_names
from mmdet_kdrank.errors import CheckpointAccessError, CheckpointError
from tests.pickles import Reduced, pointers

pytestmark = pytest.mark.filterwarnings('ignore')


class Pairs(Dataset):
    METAINFO = dict(classes=('one', 'two'), palette=[(1, 2, 3), (4, 5, 6)])

    @property
    def metainfo(self):
        return dict(self.METAINFO)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.full((2,), float(index))


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, *inputs, mode='tensor'):
        return dict(loss=self.layer(torch.stack(inputs)).mean())


def make_runner(work_dir, iterations, **kwargs):
    return Runner(
        model=Model(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Pairs(),
            batch_size=2,
            num_workers=0,
            sampler=dict(type='InfiniteSampler', shuffle=True),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=False, max_iters=iterations),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        param_scheduler=[
            dict(type='CosineAnnealingLR', T_max=4, by_epoch=False),
            dict(type='MultiStepLR', milestones=[9], by_epoch=False),
        ],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
            logger=dict(type='LoggerHook', interval=1),
        ),
        custom_hooks=[EMAHook()],
        default_scope='mmengine',
        experiment_name=f'run{iterations}',
        **kwargs,
    )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('trained')
    runner = make_runner(work_dir, 2)
    runner.train()
    return runner, work_dir / 'iter_2.pth'


def test_own_checkpoint_loads(trained):
    runner, file = trained
    checkpoint = load_checkpoint(file)
    torch.testing.assert_close(
        checkpoint['ema_state_dict']['module.layer.weight'],
        runner.model.state_dict()['layer.weight'],
    )
    loss = checkpoint['message_hub']['log_scalars']['train/loss']
    assert isinstance(loss, HistoryBuffer)
    assert loss.current() == runner.message_hub.get_scalar('train/loss').current()
    assert loss.statistics('mean') == loss.mean()
    assert checkpoint['meta']['dataset_meta']['classes'] == ('one', 'two')


def test_the_weights_are_the_averaged_ones(trained):
    """Under ema_state_dict, MMEngine's own checkpoints hold the others."""
    runner, file = trained
    hook = next(hook for hook in runner.hooks if isinstance(hook, EMAHook))
    averaged = hook.ema_model.module.state_dict()
    assert not torch.equal(averaged['layer.weight'], runner.model.layer.weight)
    listed_names = detector_weights(load_checkpoint(file), str(file))
    assert listed_names.keys() == averaged.keys()
    assert all(torch.equal(listed_names[key], averaged[key]) for key in listed_names)


def test_torch_load_and_resume_work(trained):
    _, file = trained
    assert torch.load(file, map_location='cpu')['meta']['iter'] == 2
    runner = make_runner(file.parent, 4, load_from=str(file), resume=True)
    runner.train()
    assert runner.iter == 4
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == 4


def test_numpy_scalars_and_arrays_load(tmp_path):
    file = tmp_path / 'numpy.pth'
    kinds = (np.float64, np.float32, np.int64, np.bool_, np.uint8)
    torch.save(
        dict(best=[kind(1) for kind in kinds], all=[np.ones(2, kind) for kind in kinds]), file
    )
    checkpoint = load_checkpoint(file)
    assert checkpoint['best'] == [1] * len(kinds)
    assert [array.dtype for array in checkpoint['all']] == [np.dtype(kind) for kind in kinds]


def test_file_of_the_other_numpy_loads(tmp_path):
    here, there = ('_core', 'core') if np.__version__ >= '2' else ('core', '_core')
    source, file = tmp_path / 'here.pth', tmp_path / 'there.pth'
    torch.save(dict(best=np.float64(3)), source)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(file, 'w') as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith('data.pkl'):
                assert f'numpy.{here}.multiarray'.encode() in data
                data = data.replace(f'numpy.{here}.'.encode(), f'numpy.{there}.'.encode())
            new.writestr(name, data)
    assert load_checkpoint(file)['best'] == 3


def attacks(target):
    command = f'touch {target}'
    return {
        'os.system': Reduced(os.system, command),
        'eval': Reduced(eval, f'open({str(target)!r}, "w")'),
        'subprocess': Reduced(subprocess.call, ['touch', str(target)]),
        'open': Reduced(open, str(target), 'w'),
        'getattr': Reduced(getattr, HistoryBuffer, '__init__'),
        'getattr, then globals': Reduced(
            getattr, Reduced(getattr, HistoryBuffer, 'mean'), '__globals__'
        ),
        'numpy.save': Reduced(np.save, str(target), np.ones(1)),
        'torch.load': Reduced(torch.load, str(target)),
        'a class': Reduced(types.SimpleNamespace),
    }


@pytest.mark.parametrize('name', list(attacks('x')))
@pytest.mark.parametrize('through', ['load_checkpoint', 'torch.load', 'MMEngine'])
def test_code_is_refused(tmp_path, name, through):
    if through != 'load_checkpoint' and not SAFE_BY_DEFAULT:
        pytest.skip('torch.load is left as it is before torch 2.6')
    target, file = tmp_path / 'created', tmp_path / 'attack.pth'
    torch.save(dict(state_dict={}, meta=attacks(target)[name]), file)
    others = {'torch.load': torch.load, 'MMEngine': CheckpointLoader.load_checkpoint}
    if through in others:
        with pytest.raises(pickle.UnpicklingError):
            others[through](str(file), map_location='cpu')
    else:
        with pytest.raises(CheckpointError, match='attack.pth was refused.*could run code'):
            load_checkpoint(file)
    assert not target.exists()


def test_the_attack_would_work(tmp_path):
    target, file = tmp_path / 'created', tmp_path / 'attack.pth'
    torch.save(attacks(target)['os.system'], file)
    torch.load(file, weights_only=False)
    assert target.exists()


class Program(torch.nn.Module):
    """Writes a file when it is loaded; TorchScript has no other way to run code then."""

    def __init__(self, target: str):
        super().__init__()
        self.target = target

    @torch.jit.export
    def __getstate__(self):
        return self.target, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]):
        self.target, self.training = state
        torch.save(torch.zeros(1), self.target)


def test_a_program_is_refused_before_it_runs(tmp_path):
    target, file = tmp_path / 'created', tmp_path / 'program.pth'
    torch.jit.script(Program(str(target))).save(file)
    with pytest.raises(CheckpointError, match='program.pth was refused: .*TorchScript.*run code'):
        load_checkpoint(file)
    assert not target.exists()
    torch.jit.load(file)
    assert target.exists()


def test_missing_file_is_named():
    with pytest.raises(CheckpointError, match='no/such.pth does not exist. Correct the path'):
        load_checkpoint('no/such.pth')


def legacy(content, file):
    torch.save(content, file, _use_new_zipfile_serialization=False)
    return file.read_bytes()


@pytest.mark.parametrize('content', ['text', 'half', 'huge'])
def test_unreadable_file_is_named(tmp_path, content):
    file = tmp_path / 'broken.pth'
    old = legacy(dict(weight=torch.arange(4.0)), file)
    at = old.index(b'K\x04', old.index(b'cpu'))
    file.write_bytes(
        {
            'text': b'Not a checkpoint.',
            'half': old[: len(old) // 2],
            # The storage declares 2^46 values.
            'huge': old[:at] + b'\x8a\x06' + (1 << 46).to_bytes(6, 'little') + old[at + 2 :],
        }[content]
    )
    with pytest.raises(CheckpointError, match='broken.pth cannot be read.*truncated') as info:
        load_checkpoint(file)
    assert '\n' not in str(info.value)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(data=st.data())
def test_a_damaged_file_loads_or_is_refused(trained, tmp_path_factory, data):
    """Nothing but the project's own error gets out, whatever byte is wrong."""
    whole = bytearray(trained[1].read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(len(whole) // 2, len(whole)))
    file = tmp_path_factory.mktemp('damaged') / 'damaged.pth'
    file.write_bytes(whole[:end])
    try:
        assert isinstance(load_checkpoint(file), dict)
    except CheckpointError as error:
        assert 'damaged.pth' in str(error) and '\n' not in str(error)


def test_the_refusal_says_how_to_trust(tmp_path):
    torch.save(dict(meta=Reduced(os.system, 'true')), tmp_path / 'attack.pth')
    with pytest.raises(
        CheckpointError, match=r"If you trust.*weights_only=False.*'state_dict' and 'meta'"
    ):
        load_checkpoint(tmp_path / 'attack.pth')


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match='is a folder'):
        load_checkpoint(tmp_path)


def test_safetensors(tmp_path):
    save_file = pytest.importorskip('safetensors.torch').save_file
    weight = torch.arange(6.0).reshape(2, 3)
    save_file(dict(weight=weight), tmp_path / 'teacher.safetensors')
    loaded = load_checkpoint(tmp_path / 'teacher.safetensors')
    assert loaded.keys() == {'state_dict'}
    torch.testing.assert_close(loaded['state_dict']['weight'], weight)
    whole = (tmp_path / 'teacher.safetensors').read_bytes()
    (tmp_path / 'half.safetensors').write_bytes(whole[:-4])
    with pytest.raises(CheckpointError, match='half.safetensors cannot be read'):
        load_checkpoint(tmp_path / 'half.safetensors')


def test_safetensors_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    (tmp_path / 'teacher.safetensors').write_bytes(b'\2\0\0\0\0\0\0\0{}')
    with pytest.raises(CheckpointError, match='teacher.safetensors.*pip install safetensors'):
        load_checkpoint(tmp_path / 'teacher.safetensors')


class Memory(LocalBackend):
    """A storage that holds one file."""

    content = b''

    def get(self, filepath):
        if 'absent' in filepath:
            raise FileNotFoundError(filepath)
        return self.content


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.setitem(prefix_to_backends, 'memory', Memory)
    monkeypatch.setattr(fileio, 'backend_instances', {})
    return lambda content: monkeypatch.setattr(Memory, 'content', content)


def test_a_file_of_another_storage(memory, trained):
    memory(trained[1].read_bytes())
    assert load_checkpoint('memory://runs/iter_2.pth')['meta']['iter'] == 2


@pytest.mark.parametrize('variable', ['', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'])
def test_code_from_another_storage_is_refused(memory, tmp_path, monkeypatch, variable):
    """Where that variable is set, torch.load runs whatever is in a file."""
    target, file = tmp_path / 'created', tmp_path / 'attack.pth'
    torch.save(attacks(target)['os.system'], file)
    memory(file.read_bytes())
    if variable:
        monkeypatch.setenv(variable, '1')
    for source in ('memory://attack.pth', str(file)):
        with pytest.raises(CheckpointError, match='attack.pth was refused.*could run code'):
            load_checkpoint(source)
        assert not target.exists()


@pytest.mark.parametrize(
    ('source', 'content', 'fault'),
    [
        ('memory://a/teacher.pth', b'', 'memory://a/teacher.pth is empty'),
        ('memory://a/x-0123abcd.pth', b'x', 'not the 0123abcd that its name announces'),
        ('memory://absent.pth', b'', 'cannot be fetched .*FileNotFoundError'),
        ('memory://a/..', b'', 'cannot be fetched'),
        ('memory://', b'', 'cannot be fetched'),
        ('torchvision://resnet18', b'', 'cannot be fetched .*Give a path.*are names of backbones'),
    ],
)
def test_faults_of_other_storages(memory, source, content, fault):
    memory(content)
    with pytest.raises(CheckpointError, match=fault) as caught:
        load_checkpoint(source)
    assert '\n' not in str(caught.value)


def test_a_list_is_no_checkpoint(tmp_path):
    file = tmp_path / 'list.pth'
    torch.save([1, 2], file)
    with pytest.raises(CheckpointError, match='list.pth holds a list, not a dict'):
        load_checkpoint(file)


def test_url_is_loaded_from_the_hub_folder(trained, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    content = trained[1].read_bytes()
    name = f'teacher-{hashlib.sha256(content).hexdigest()[:8]}.pth'
    (tmp_path / 'hub' / 'checkpoints').mkdir(parents=True)
    (tmp_path / 'hub' / 'checkpoints' / name).write_bytes(content)
    for scheme in ('https', 'HTTPS'):
        assert load_checkpoint(f'{scheme}://example.invalid/{name}')['meta']['iter'] == 2


def test_a_bad_download_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    name = f'teacher-{hashlib.sha256(b"text").hexdigest()[:8]}.pth'
    file = tmp_path / 'hub' / 'checkpoints' / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b'text')
    with pytest.raises(CheckpointError, match=f'truncated.*lies in {file}; delete it first'):
        load_checkpoint(f'https://example.invalid/{name}')


@pytest.mark.parametrize(
    'error', [MemoryError(), OSError(5, 'Input/output error'), PermissionError(13, 'denied')]
)
def test_what_says_nothing_about_the_file(trained, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch, 'load', fail)
    with pytest.raises(CheckpointAccessError, match='cannot be read on this machine now') as caught:
        load_checkpoint(trained[1])
    assert 'truncated' not in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize(('asked', 'kind'), [(100, CheckpointAccessError), (1 << 45, None)])
def test_memory_that_torch_lacks(trained, monkeypatch, asked, kind):
    """A whole file asks for no more than it has, a damaged one may."""
    with pytest.raises(RuntimeError) as lacking:
        torch.empty(1 << 50, dtype=torch.uint8)
    message = str(lacking.value).replace(str(1 << 50), str(asked))
    assert str(asked) in message

    def fail(*_, **__):
        raise RuntimeError(message)

    monkeypatch.setattr(torch, 'load', fail)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(trained[1])
    assert type(caught.value) is (kind or CheckpointError)


def test_a_file_that_may_not_be_looked_at(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(Path, 'is_file', fail)
    with pytest.raises(CheckpointAccessError, match='x.pth cannot be read on this machine'):
        load_checkpoint(tmp_path / 'x.pth')


@pytest.mark.skipif(SAFE_BY_DEFAULT, reason='from torch 2.6 on it asks for what is done anyway')
def test_the_variable_that_shuts_mmengines_checkpoints_out(trained, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(CheckpointAccessError, match='Unset it'):
        load_checkpoint(trained[1])


def test_forged_pointers_are_refused(tmp_path):
    """In a process of their own: where they are followed, it dies."""
    forged = dict(
        array=Reduced(Counter, Reduced(np.ndarray, (4,), 'O', b'A' * 64)),
        buffer=Reduced(HistoryBuffer, pointers(), [], 5),
    )
    for name, value in forged.items():
        torch.save(dict(value=value), tmp_path / f'{name}.pth')
    code = (
        'import pathlib, sys, torch\n'
        'from mmdet_kdrank.checkpoints.loading import SAFE_BY_DEFAULT, load_checkpoint\n'
        'loads = [load_checkpoint]\n'
        'if SAFE_BY_DEFAULT: loads.append(lambda file: torch.load(file, weights_only=True))\n'
        'for file in pathlib.Path(sys.argv[1]).glob("*.pth"):\n'
        '    for load in loads:\n'
        '        try: load(file)\n'
        '        except Exception as error: print("refused: " in str(error), flush=True)'
    )
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code, tmp_path], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    answers = [word for word in result.stdout.split() if word in ('True', 'False')]
    assert answers == ['True'] * (4 if SAFE_BY_DEFAULT else 2)


@pytest.mark.skipif(not SAFE_BY_DEFAULT, reason='torch has no allow-list before 2.6')
def test_what_others_have_allowed_stays():
    listed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        torch.serialization.add_safe_globals([HistoryBuffer, (len, 'numpy.dtype')])
        allow_mmengine_checkpoints()
        allow_mmengine_checkpoints()
        listed_names = torch.serialization.get_safe_globals()
        assert len(listed_names) == len(allowed_names())
        assert HistoryBuffer in listed_names and (len, 'numpy.dtype') in listed_names
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(listed)


def test_importing_the_package_is_enough(trained):
    code = f'import torch, mmdet_kdrank; print(torch.load({str(trained[1])!r})["meta"]["iter"])'
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    # OneDL's mmdet prints a line of its own on import.
    assert result.stdout.splitlines()[-1:] == ['2'], result.stderr
