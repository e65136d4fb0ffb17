"""Two nodes of torchrun on the loopback address: a lost node, restarts, a fault on one of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes
from tests.tools.conftest import ROOT, scalars

pytestmark = pytest.mark.slow

CONFIG = ROOT / 'configs/shapes/faster-rcnn_r18w32-r18w16_kd-rank_shapes.py'
INTERVAL = 2
# Seconds until a node has noticed that another is gone, on a busy machine.
NOTICED = 60
STARTED = 240


@pytest.fixture(scope='module')
def material(tmp_path_factory) -> Path:
    """A few small pictures and a teacher."""
    folder = tmp_path_factory.mktemp('nodes')
    write_shapes(folder / 'shapes', ShapesSpec(num_train=12, num_val=2, size=64))
    teacher = Config.fromfile(ROOT / 'configs/shapes/faster-rcnn_r18w32_shapes.py').model
    torch.manual_seed(0)
    torch.save(MODELS.build(teacher).state_dict(), folder / 'teacher.pth')
    return folder


class Node:
    """One `tools/dist_train.sh` with its worker processes."""

    def __init__(self, job: Job, number: int, gpus: int, options: tuple[str, ...], **variables):
        self.log = job.work_dir.with_name(f'{job.work_dir.name}-{number}-{time.monotonic()}.log')
        command = ['bash', 'tools/dist_train.sh', job.config, gpus, '--work-dir', job.work_dir]
        command += ['--resume', '--cfg-options', *job.options, *options]
        environment = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join([str(ROOT), str(job.work_dir.parent)]),
            'PATH': os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']]),
            'OMP_NUM_THREADS': '1',
            'CUDA_VISIBLE_DEVICES': '',
            'GLOO_SOCKET_IFNAME': 'lo',
            'NNODES': '2',
            'RDZV_ENDPOINT': f'127.0.0.1:{job.port}',
            'LOCAL_ADDR': '127.0.0.1',
            **variables,
        }
        with self.log.open('wb') as log:
            self.process = subprocess.Popen(
                list(map(str, command)),
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As if the machine lost its power: the agent and all of its workers, at once."""
        agent = self.process.pid
        workers = Path(f'/proc/{agent}/task/{agent}/children').read_text().split()
        for process in (agent, *map(int, workers)):
            os.kill(process, signal.SIGKILL)
        self.process.wait()

    def wait(self, seconds: float) -> int:
        return self.process.wait(seconds)

    def text(self) -> str:
        return self.log.read_text(errors='replace')


class Job:
    """A training on nodes, in a work dir."""

    def __init__(self, material: Path, work_dir: Path, iterations: int):
        self.work_dir = work_dir
        self.config = CONFIG
        self.nodes: list[Node] = []
        data = f'{material / "shapes"}/'
        self.options = [
            f'model.teacher.config={ROOT / "configs/shapes/faster-rcnn_r18w32_shapes.py"}',
            f'model.teacher.checkpoint={material / "teacher.pth"}',
            f'train_dataloader.dataset.data_root={data}',
            f'val_dataloader.dataset.data_root={data}',
            f'val_evaluator.ann_file={data}annotations/instances_val.json',
            'train_dataloader.batch_size=1',
            f'train_cfg.max_iters={iterations}',
            'train_cfg.val_interval=1000000',
            f'default_hooks.checkpoint.interval={INTERVAL}',
            'default_hooks.logger.interval=1',
        ]
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]

    def start(self, gpus: int, *options: str, **variables: str) -> Node:
        node = Node(self, len(self.nodes), gpus, options, **variables)
        self.nodes.append(node)
        return node

    def last_checkpoint(self) -> int:
        pointer = self.work_dir / 'last_checkpoint'
        return int(pointer.read_text().rpartition('_')[2][:-4]) if pointer.is_file() else 0

    def wait_for_checkpoint(self, iteration: int) -> None:
        end = time.monotonic() + STARTED
        while self.last_checkpoint() < iteration:
            ended = [node for node in self.nodes if node.process.poll() is not None]
            assert not ended, ended[0].text()[-6000:]
            assert time.monotonic() < end, self.nodes[0].text()[-6000:]
            time.sleep(0.1)


@pytest.fixture
def job(material, tmp_path):
    made: list[Job] = []

    def make(iterations: int) -> Job:
        made.append(Job(material, tmp_path / f'work{len(made)}', iterations))
        return made[-1]

    yield make
    for one in made:
        for node in one.nodes:
            if node.process.poll() is None:
                node.kill()


def test_a_lost_node_stops_the_other_and_resume_goes_on(job):
    lost = job(10_000)
    first, second = lost.start(2), lost.start(1)
    lost.wait_for_checkpoint(2 * INTERVAL)
    second.kill()
    killed = time.monotonic()
    assert first.wait(NOTICED) != 0
    print(f'the other node stopped {time.monotonic() - killed:.1f} s after the kill')
    assert 'Connection closed by peer' in first.text() or 'Connection reset' in first.text()
    reached = lost.last_checkpoint()

    # Other nodes, one process each.
    resumed = job(reached + 3)
    resumed.work_dir = lost.work_dir
    nodes = [resumed.start(1), resumed.start(1)]
    assert [node.wait(STARTED) for node in nodes] == [0, 0], nodes[0].text()[-6000:]
    newest = max(resumed.work_dir.glob('*/vis_data/scalars.json'))
    steps = [line['step'] for line in scalars(newest.parents[2]) if line['step'] > reached]
    assert f'resumed epoch: 0, iter: {reached}' in nodes[0].text() + nodes[1].text()
    assert steps[-3:] == [reached + 1, reached + 2, reached + 3]


DYING = f"""
import os, signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class DyingHook(Hook):
    def after_train_iter(self, runner, *args, **kwargs):
        first = os.environ['TORCHELASTIC_RESTART_COUNT'] == '0'
        if first and os.environ['RANK'] == '1' and runner.iter == {2 * INTERVAL}:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_max_restarts_recovers_by_itself(job, tmp_path):
    (tmp_path / 'dying.py').write_text(DYING)
    run = job(3 * INTERVAL)
    run.config = tmp_path / 'config.py'
    run.config.write_text(
        f'_base_ = {str(CONFIG)!r}\n'
        "custom_imports = dict(imports=['mmdet_kdrank', 'dying'])\n"
        "custom_hooks = [dict(type='DyingHook')]\n"
    )
    nodes = [run.start(1, MAX_RESTARTS='2'), run.start(1, MAX_RESTARTS='2')]
    codes = [node.wait(STARTED) for node in nodes]
    both = nodes[0].text() + nodes[1].text()
    assert codes == [0, 0], both
    assert 'Signal 9 (SIGKILL)' in both or 'exitcode: -9' in both
    assert f'resumed epoch: 0, iter: {2 * INTERVAL}' in both
    assert run.last_checkpoint() == 3 * INTERVAL


def test_a_teacher_missing_on_one_node_stops_both(job):
    run = job(10_000)
    nodes = [run.start(1), run.start(1, 'model.teacher.checkpoint=/gone/teacher.pth')]
    assert all(node.wait(STARTED) != 0 for node in nodes)
    for node in nodes:
        assert 'Checkpoint /gone/teacher.pth does not exist' in node.text()
    assert 'of 2] CheckpointError: ' in nodes[0].text()
    assert not list(run.work_dir.glob('*.pth'))
