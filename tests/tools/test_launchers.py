"""The shell scripts: what they start, and a training of two processes."""

from __future__ import annotations

import socket

import pytest

from tests.tools.conftest import ROOT, call, scalars

SCRIPTS = sorted(path.name for path in (ROOT / 'tools').glob('*.sh'))


@pytest.fixture
def recorded(tmp_path):
    """Runs a script with a command on the path that only tells its arguments."""

    def run(fake: str, *command: str, **variables: str) -> list[str]:
        program = tmp_path / fake
        program.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
        program.chmod(0o755)
        command = ('env', f'PATH={tmp_path}:/usr/bin:/bin', 'bash', *command)
        return call(list(command), **variables).splitlines()

    return run


@pytest.mark.parametrize('script', SCRIPTS)
def test_is_valid_shell(script):
    call(['bash', '-n', f'tools/{script}'])


def test_dist_train(recorded):
    got = recorded('python', 'tools/dist_train.sh', 'c.py', '4', '--cfg-options', 'a=b c')
    assert got[:2] == ['-m', 'torch.distributed.run']
    assert {'--nnodes=1', '--node_rank=0', '--nproc_per_node=4'} <= set(got)
    wanted = ['tools/train.py', 'c.py', '--cfg-options', 'a=b c', '--launcher', 'pytorch']
    assert got[-6:] == wanted


def test_dist_train_with_a_rendezvous_and_restarts(recorded):
    meeting = dict(NNODES='1:4', RDZV_ENDPOINT='10.0.0.1:29400', LOCAL_ADDR='10.0.0.2')
    got = recorded('python', 'tools/dist_train.sh', 'c.py', '8', MAX_RESTARTS='3', **meeting)
    wanted = {'--nnodes=1:4', '--rdzv_backend=c10d', '--rdzv_endpoint=10.0.0.1:29400'}
    assert wanted | {'--max_restarts=3', '--local_addr=10.0.0.2', '--rdzv_id=kdrank'} <= set(got)
    assert not any(argument.startswith(('--node_rank', '--master')) for argument in got)


def test_dist_test_on_several_machines(recorded):
    machines = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234')
    got = recorded('python', 'tools/dist_test.sh', 'c.py', 'x.pth', '8', '--out', 'o', **machines)
    assert {'--nnodes=2', '--node_rank=1', '--master_addr=10.0.0.1', '--nproc_per_node=8'} <= set(
        got
    )
    assert '--master_port=1234' in got
    wanted = ['tools/test.py', 'c.py', 'x.pth', '--out', 'o', '--launcher', 'pytorch']
    assert got[-7:] == wanted


def test_slurm_train(recorded):
    settings = dict(GPUS='16', GPUS_PER_NODE='4', CPUS_PER_TASK='3', SRUN_ARGS='--quiet --mem=0')
    got = recorded(
        'srun', 'tools/slurm_train.sh', 'part', 'job', 'c.py', 'work dir', '--amp', **settings
    )
    assert got == [
        *('--partition=part', '--job-name=job', '--gres=gpu:4', '--ntasks=16'),
        *('--ntasks-per-node=4', '--cpus-per-task=3', '--kill-on-bad-exit=1', '--quiet'),
        *('--mem=0', 'python', '-u', 'tools/train.py', 'c.py', '--work-dir=work dir', '--amp'),
        '--launcher=slurm',
    ]


def test_slurm_test(recorded):
    got = recorded('srun', 'tools/slurm_test.sh', 'part', 'job', 'c.py', 'x.pth', '--out', 'o')
    assert {'--partition=part', '--job-name=job', '--gres=gpu:8', '--ntasks=8'} <= set(got)
    assert got[-6:] == ['tools/test.py', 'c.py', 'x.pth', '--out', 'o', '--launcher=slurm']


@pytest.mark.slow
def test_two_processes_train(small_run, tmp_path):
    """DistributedDataParallel runs without find_unused_parameters."""
    run = small_run('faster_rcnn/faster-rcnn_r101-r18_kd-rank_1x_coco.py')
    config = tmp_path / 'distributed.py'
    config.write_text(
        f'_base_ = {str(run.config)!r}\n'
        'train_cfg = dict(max_epochs=2)\n'
        'train_dataloader = dict(batch_size=1, dataset=dict(indices=2))\n'
    )
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    output = call(
        [
            *('bash', 'tools/dist_train.sh', config, '2', '--work-dir', tmp_path / 'work'),
            *('--cfg-options', 'train_dataloader.dataset.pipeline.2.scale=(160,128)'),
        ],
        PORT=port,
        CUDA_VISIBLE_DEVICES='',
    )
    logged = scalars(tmp_path / 'work')
    assert [line['step'] for line in logged] == [1, 2]
    assert all('distill_tau' in line and 'loss_rank' in line for line in logged)
    assert 'find_unused_parameters=True' not in output
