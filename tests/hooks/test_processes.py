"""Trainings in processes of their own, interrupted by real signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.detectors import FASTER
from tests.training import assert_same, training_config, weights

ROOT = Path(__file__).parents[2]
TRAIN = [sys.executable, 'tools/train.py']
# MMEngine picks a GPU for each rank whatever the backend; here the ranks are CPU processes.
pytestmark = pytest.mark.slow


def run(command, work_dir, config, *options, **strike):
    """Run a training to its end or a signal; its exit code and output."""
    config = config.copy()
    if strike:
        config.custom_hooks = [*config.custom_hooks, dict(type='Strike', **strike)]
    work_dir.mkdir(exist_ok=True)
    config.dump(work_dir / 'config.py')
    done = subprocess.run(
        [*command, str(work_dir / 'config.py'), '--work-dir', str(work_dir), *options],
        cwd=ROOT,
        env={
            **os.environ,
            'PYTHONPATH': f'{ROOT}:{work_dir.parent}',
            'OMP_NUM_THREADS': '1',
            'CUDA_VISIBLE_DEVICES': '',
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
        # A group of its own, for signals to all of it.
        start_new_session=True,
    )
    return done.returncode, done.stdout[-3000:]


def succeed(*args, **options):
    code, output = run(*args, **options)
    assert code == 0, output


def ranks(folder):
    """What starts two CPU processes, and a config for them."""
    config = training_config(
        FASTER,
        folder,
        custom_imports=dict(imports=['mmdet_kdrank', 'tests.training']),
        train_dataloader=dict(batch_size=1),
        # Each rank draws random numbers of its own, and has to find them again.
        randomness=dict(diff_rank_seed=True),
    )
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    launch = ['-m', 'torch.distributed.run', '--nproc_per_node=2', f'--master_port={port}']
    return [sys.executable, *launch, 'tools/train.py', '--launcher', 'pytorch'], config


def files(work_dir):
    return weights(work_dir / 'iter_8.pth')


def test_signal_9_and_a_resume(tmp_path):
    config = training_config(FASTER, tmp_path)
    succeed(TRAIN, tmp_path / 'whole', config)
    work_dir = tmp_path / 'killed'
    code, _ = run(TRAIN, work_dir, config, after=5, signal=int(signal.SIGKILL))
    assert code == -signal.SIGKILL
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'iter_4.pth')
    succeed(TRAIN, work_dir, config, '--resume')
    assert_same(files(work_dir), files(tmp_path / 'whole'))


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_loading_workers_too(tmp_path, number):
    """As from a terminal or from Slurm: the workers die from it, the training does not."""
    config = training_config(FASTER, tmp_path, train_dataloader=dict(num_workers=2))
    succeed(TRAIN, tmp_path / 'whole', config)
    work_dir = tmp_path / 'stopped'
    code, output = run(TRAIN, work_dir, config, after=5, signal=int(number), group=True)
    assert code == 128 + number, output
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'preempted.pth')
    succeed(TRAIN, work_dir, config, '--resume')
    assert_same(files(work_dir), files(tmp_path / 'whole'))


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])
def test_two_processes_of_which_one_gets_a_signal(tmp_path, number):
    command, config = ranks(tmp_path)
    succeed(command, tmp_path / 'whole', config)
    work_dir = tmp_path / 'stopped'
    code, output = run(command, work_dir, config, after=5, signal=int(number), rank=1)
    assert code != 0
    # As torchrun tells them. After a SIGKILL the other process may end with any fault.
    codes = set(re.findall(r'exitcode *: *(-?[0-9]+)', output))
    assert '-9' in codes if number == signal.SIGKILL else codes == {'143'}, output
    last = 'iter_4.pth' if number == signal.SIGKILL else 'preempted.pth'
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / last)
    succeed(command, work_dir, config, '--resume')
    assert_same(files(work_dir), files(tmp_path / 'whole'))
    for rank in range(2):
        expected = (tmp_path / 'whole' / f'seen.{rank}').read_text().splitlines()[-1]
        assert (work_dir / f'seen.{rank}').read_text().splitlines()[-1] == expected
