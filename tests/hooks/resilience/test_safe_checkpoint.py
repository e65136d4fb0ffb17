from __future__ import annotations

import errno
import os
import resource
import signal

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmdet_kdrank.checkpoints.loading import CheckpointError
from mmdet_kdrank.hooks import SafeCheckpointHook
from tests.detectors import RETINA
from tests.training import EPOCHS, VALIDATION, assert_same, train, training_config, weights


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('teacher')


@pytest.fixture(scope='module')
def by_iteration(folder):
    """A config, and the last checkpoint of an uninterrupted training."""
    config = training_config(RETINA, folder)
    train(config, folder / 'by_iteration')
    return config, folder / 'by_iteration' / 'iter_8.pth'


@pytest.fixture(scope='module')
def by_epoch(folder):
    config = training_config(RETINA, folder, **EPOCHS, **VALIDATION)
    train(config, folder / 'by_epoch')
    return config, folder / 'by_epoch' / 'epoch_3.pth'


def seen(work_dir):
    return (work_dir / 'seen.0').read_text().splitlines()


def stop(config, work_dir, after, number=signal.SIGTERM, resume=False):
    """Train until a signal comes; the exit code."""
    config = config.copy()
    hook = dict(type='Strike', after=after, signal=int(number))
    config.custom_hooks = [*config.custom_hooks, hook]
    with pytest.raises(SystemExit) as caught:
        train(config, work_dir, resume)
    return caught.value.code


@pytest.mark.parametrize(('after', 'number'), [(3, signal.SIGTERM), (4, signal.SIGINT)])
def test_a_signal_stops_with_a_checkpoint_to_go_on_from(by_iteration, tmp_path, after, number):
    config, expected = by_iteration
    assert stop(config, tmp_path, after, number) == 128 + number
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'preempted.pth')
    assert len(seen(tmp_path)) == after
    train(config, tmp_path, resume=True)
    assert seen(tmp_path) == seen(expected.parent)
    assert_same(weights(tmp_path / 'iter_8.pth'), weights(expected))


@pytest.mark.slow
@pytest.mark.parametrize('after', [2, 6, 10])
def test_it_goes_on_in_the_middle_of_an_epoch(by_epoch, tmp_path, after):
    config, expected = by_epoch
    stop(config, tmp_path, after)
    train(config, tmp_path, resume=True)
    assert seen(tmp_path) == seen(expected.parent)
    assert_same(weights(tmp_path / 'epoch_3.pth'), weights(expected))


@pytest.mark.slow
def test_stopped_twice_in_one_epoch(by_epoch, tmp_path):
    config, expected = by_epoch
    stop(config, tmp_path, 2)
    stop(config, tmp_path, 5, resume=True)
    train(config, tmp_path, resume=True)
    assert_same(weights(tmp_path / 'epoch_3.pth'), weights(expected))


@pytest.mark.slow
def test_an_epoch_of_another_length_starts_over(by_epoch, tmp_path):
    config, _ = by_epoch
    stop(config, tmp_path, 2)
    config = config.copy()
    config.train_dataloader = {**config.train_dataloader, 'batch_size': 3}
    config.train_cfg = {**config.train_cfg, 'max_epochs': 2}
    stop(config, tmp_path, 2 + 4 + 3, resume=True)
    runner = train(config, tmp_path, resume=True)
    # Two of six, then two epochs of four.
    assert len(runner.train_dataloader) == 4
    assert runner.iter == len(seen(tmp_path)) == 2 + 4 + 4
    assert len(set(seen(tmp_path))) == 10


def test_a_torn_checkpoint_is_passed_over(by_iteration, tmp_path):
    config, expected = by_iteration
    stop(config, tmp_path, 7)
    last = tmp_path / 'preempted.pth'
    last.write_bytes(last.read_bytes()[:-1000])
    runner = train(config, tmp_path, resume=True)
    assert runner._load_from == str(tmp_path / 'iter_6.pth')
    assert_same(weights(tmp_path / 'iter_8.pth'), weights(expected))


def test_no_checkpoint_that_can_be_read_is_an_error(by_iteration, tmp_path):
    config, _ = by_iteration
    stop(config, tmp_path, 1)
    (tmp_path / 'preempted.pth').write_bytes(b'')
    with pytest.raises(CheckpointError, match=r'preempted\.pth.*without --resume'):
        train(config, tmp_path, resume=True)


@HOOKS.register_module()
class FullDisk(Hook):
    """From an iteration on no file can be longer than 100 kB, as on a disk that is full then."""

    priority = 'HIGHEST'

    def __init__(self, after):
        self.after = after

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.after:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))


def test_a_full_disk_leaves_the_last_good_checkpoint(by_iteration, tmp_path):
    config, expected = by_iteration
    config = config.copy()
    config.default_hooks = {
        **config.default_hooks,
        'checkpoint': {**config.default_hooks.checkpoint, 'max_keep_ckpts': 2},
    }
    config.custom_hooks = [*config.custom_hooks, dict(type='FullDisk', after=5)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OSError, match=rf'{tmp_path}/iter_6\.pth, .* cannot be') as caught:
            train(config, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    names = sorted(name for name in os.listdir(tmp_path) if '.pth' in name)
    assert names == ['iter_2.pth', 'iter_4.pth']
    config.custom_hooks = config.custom_hooks[:-1]
    train(config, tmp_path, resume=True)
    names = sorted(name for name in os.listdir(tmp_path) if '.pth' in name)
    assert names == ['iter_6.pth', 'iter_8.pth']
    assert_same(weights(tmp_path / 'iter_8.pth'), weights(expected))


@HOOKS.register_module()
class Spoil(Hook):
    """Makes one weight NaN after an iteration's step."""

    priority = 'HIGHEST'

    def __init__(self, after):
        self.after = after

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.after:
            runner.model.bbox_head.retina_reg.bias.data[1] = float('nan')


def test_weights_that_are_not_finite_are_not_written(by_iteration, tmp_path):
    config, _ = by_iteration
    config = config.copy()
    config.custom_hooks = [*config.custom_hooks, dict(type='Spoil', after=4)]
    with pytest.raises(
        FloatingPointError, match=r'1 of 36 values of .*retina_reg\.bias.* at iteration 4'
    ):
        train(config, tmp_path)
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_2.pth')
    assert not (tmp_path / 'iter_4.pth').exists()


def test_files_are_written_by_the_atomic_backend_unless_told_otherwise():
    assert SafeCheckpointHook().backend_args == dict(backend='atomic')
    assert SafeCheckpointHook(out_dir='s3://bucket').backend_args is None
    own = dict(backend='local')
    assert SafeCheckpointHook(backend_args=own).backend_args is own


@pytest.mark.parametrize(
    ('options', 'kind', 'message'),
    [
        # MMEngine finds that out at the first checkpoint.
        (dict(max_keep_ckpt=2), TypeError, 'has no option max_keep_ckpt, .*Correct the name'),
        (dict(signals=['SIGPREEMPT']), ValueError, 'SIGPREEMPT is no signal'),
    ],
)
def test_refused_options(options, kind, message):
    with pytest.raises(kind, match=message):
        SafeCheckpointHook(**options)


def test_a_plain_student_loads_the_checkpoint(by_iteration):
    """The file holds more than MMEngine's, under keys of its own."""
    _, checkpoint = by_iteration
    file = torch.load(checkpoint, map_location='cpu')
    assert file.keys() == {
        *('meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'),
        *('ema_state_dict', 'random_states'),
    }
    assert not [key for key in file['state_dict'] if 'teacher' in key]
