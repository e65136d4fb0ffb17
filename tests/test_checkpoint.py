import os
import pickle
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmdet_kdrank.checkpoint import SAFE_BY_DEFAULT, CheckpointError, load_checkpoint
from mmdet_kdrank.safe_globals import history_statistic, latin1

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
        param_scheduler=dict(type='CosineAnnealingLR', T_max=4, by_epoch=False),
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


class Reduced:
    """Pickles as a call of any function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


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
@pytest.mark.parametrize('through', ['load_checkpoint', 'torch.load'])
def test_code_is_refused(tmp_path, name, through):
    if through == 'torch.load' and not SAFE_BY_DEFAULT:
        pytest.skip('torch.load is left as it is before torch 2.6')
    target, file = tmp_path / 'created', tmp_path / 'attack.pth'
    torch.save(dict(state_dict={}, meta=attacks(target)[name]), file)
    if through == 'torch.load':
        with pytest.raises(pickle.UnpicklingError):
            torch.load(file, map_location='cpu')
    else:
        with pytest.raises(CheckpointError, match='attack.pth was refused.*could run code'):
            load_checkpoint(file)
    assert not target.exists()


def test_the_attack_would_work(tmp_path):
    target, file = tmp_path / 'created', tmp_path / 'attack.pth'
    torch.save(attacks(target)['os.system'], file)
    torch.load(file, weights_only=False)
    assert target.exists()


@pytest.mark.parametrize(
    'owner, name',
    [(HistoryBuffer, '__init__'), (os, 'system'), (HistoryBuffer(), 'mean'), ('', 'x')],
)
def test_getattr_answers_for_statistics_only(owner, name):
    with pytest.raises(pickle.UnpicklingError, match='refused'):
        history_statistic(owner, name)
    assert history_statistic(HistoryBuffer, 'mean') is HistoryBuffer.mean


def test_encode_knows_latin1_only():
    assert latin1('\xff', 'latin1') == b'\xff'
    with pytest.raises(pickle.UnpicklingError, match='refused'):
        latin1('x', 'zlib_codec')


def test_missing_file_is_named():
    with pytest.raises(CheckpointError, match='no/such.pth does not exist. Correct the path'):
        load_checkpoint('no/such.pth')


@pytest.mark.parametrize('content', ['half', 'text', 'empty'])
def test_unreadable_file_is_named(trained, tmp_path, content):
    whole = trained[1].read_bytes()
    file = tmp_path / 'broken.pth'
    file.write_bytes(
        {'half': whole[: len(whole) // 2], 'text': b'<html>no</html>', 'empty': b''}[content]
    )
    with pytest.raises(CheckpointError, match='broken.pth cannot be read.*truncated') as info:
        load_checkpoint(file)
    assert '\n' not in str(info.value)


def test_a_list_is_no_checkpoint(tmp_path):
    file = tmp_path / 'list.pth'
    torch.save([1, 2], file)
    with pytest.raises(CheckpointError, match='list.pth holds a list, not a dict'):
        load_checkpoint(file)


def test_url_is_loaded_from_the_hub_folder(trained, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    folder = tmp_path / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    (folder / 'teacher.pth').write_bytes(trained[1].read_bytes())
    assert load_checkpoint('https://example.invalid/teacher.pth')['meta']['iter'] == 2


def test_importing_the_package_is_enough(trained):
    code = f'import torch, mmdet_kdrank; print(torch.load({str(trained[1])!r})["meta"]["iter"])'
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.stdout.strip() == '2', result.stderr
