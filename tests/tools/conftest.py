"""Real pictures, a teacher's checkpoint and COCO configs cut to a few small pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config

ROOT = Path(__file__).parents[2]
SMALL = """
_base_ = {base!r}
model = dict(
    # An untrained one.
    teacher=dict(checkpoint={checkpoint!r}, verify=False),
    backbone=dict(init_cfg=None),
    {cut},
)
train_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data_root={root!r}, indices=4)
)
test_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data_root={root!r}, indices=6)
)
test_evaluator = dict(ann_file={root!r} + '/annotations/instances_val2017.json')
# tools/test.py evaluates.
val_cfg = val_dataloader = val_evaluator = None
train_cfg = dict(max_epochs=1)
default_hooks = dict(logger=dict(interval=1))
randomness = dict(seed=0)
"""
# An untrained student's scores are below MMDetection's thresholds: without them there is something
# to evaluate.
CUTS = {
    'faster_rcnn': """train_cfg=dict(
        rpn_proposal=dict(max_per_img=64), rcnn=dict(sampler=dict(num=32))
    ),
    test_cfg=dict(rpn=dict(max_per_img=20), rcnn=dict(score_thr=0.0, max_per_img=20))""",
    'retinanet': 'test_cfg=dict(score_thr=0.0, nms_pre=50, max_per_img=20)',
}
SIZE = [
    '--cfg-options',
    'train_dataloader.dataset.pipeline.2.scale=(160,128)',
    'test_dataloader.dataset.pipeline.1.scale=(160,128)',
]


def call(command: list, cwd: Path = ROOT, **variables: str) -> str:
    """Run a command of the repository; its output, both streams, once it has succeeded."""
    environment = {
        **os.environ,
        # As after `pip install -e .`, and `python` in shell scripts is the one that tests run in.
        'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')]),
        'PATH': os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']]),
        'OMP_NUM_THREADS': '1',
        **variables,
    }
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def scalars(work_dir: Path) -> list[dict]:
    """Logged training iterations of a work dir, oldest run first."""
    lines = [
        json.loads(line)
        for file in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in file.read_text().splitlines()
    ]
    return [line for line in lines if 'loss' in line]


@dataclass(frozen=True)
class SmallRun:
    """A config on a few pictures and where its teacher lies."""

    config: Path
    teacher: Path
    work_dir: Path

    def train(
        self,
        *options: str,
        tool: Path = ROOT / 'tools' / 'train.py',
        cwd: Path = ROOT,
        work_dir: Path | None = None,
    ) -> str:
        command = [sys.executable, tool, self.config, '--work-dir', work_dir or self.work_dir]
        return call([*command, *SIZE, *options], cwd=cwd)

    def test(self, checkpoint: Path, *options: str) -> str:
        command = [sys.executable, 'tools/test.py', self.config, checkpoint]
        return call([*command, '--work-dir', self.work_dir / 'test', *SIZE, *options])


@pytest.fixture(scope='session')
def trained(small_run) -> Callable[[str], SmallRun]:
    """The same after two iterations of training with TensorBoard."""

    @cache
    def make(name: str) -> SmallRun:
        run = small_run(name)
        run.train('--tensorboard')
        return run

    return make


@pytest.fixture(scope='session')
def coco_root() -> Path:
    root = ROOT / os.environ.get('KDRANK_COCO', '../shared/data/tiny_coco')
    if not (root / 'annotations' / 'instances_val2017.json').is_file():
        pytest.skip(f'no COCO pictures in {root}: set KDRANK_COCO')
    return root.resolve()


@pytest.fixture(scope='session')
def small_run(coco_root, tmp_path_factory) -> Callable[[str], SmallRun]:
    """Writes the small version of a COCO config, with a teacher of its own; once a session."""

    @cache
    def make(name: str) -> SmallRun:
        folder = tmp_path_factory.mktemp(Path(name).stem)
        base = ROOT / 'configs' / name
        teacher = get_config(Config.fromfile(base).model.teacher.config).model
        teacher.backbone.init_cfg = None
        torch.manual_seed(0)
        torch.save(MODELS.build(teacher).state_dict(), folder / 'teacher.pth')
        config = folder / 'small.py'
        config.write_text(
            SMALL.format(
                base=str(base),
                checkpoint=str(folder / 'teacher.pth'),
                root=str(coco_root),
                cut=CUTS[Path(name).parts[0]],
            )
        )
        return SmallRun(config, folder / 'teacher.pth', folder / 'work')

    return make
