"""Trainings of small distillers by MMEngine's runner, on pictures made as they are asked for."""

from __future__ import annotations

import copy
import os
import random
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, METRICS
from mmengine.runner import Runner

import mmdet_kdrank  # noqa: F401  (imported for what it registers)
from tests import runners
from tests.detectors import (
    NUM_CLASSES,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
)

PICTURES = 12
WIDE = (64, 96)
HIGH = (96, 64)


@DATASETS.register_module()
class NoisePictures:
    """Wide and high pictures of noise, each augmented with random numbers of three kinds."""

    metainfo = dict(classes=tuple('abcde')[:NUM_CLASSES])

    def __len__(self) -> int:
        return PICTURES

    def get_data_info(self, index: int) -> dict:
        height, width = WIDE if index % 3 else HIGH
        return dict(height=height, width=width)

    def __getitem__(self, index: int) -> dict:
        info = self.get_data_info(index)
        batch = raw_batch(((info['height'], info['width']),), seed=index)
        picture, sample = batch['inputs'][0], batch['data_samples'][0]
        picture = (picture * random.uniform(0.5, 1)).to(torch.uint8)
        picture = picture + int(np.random.randint(20))
        if torch.rand(()) < 0.5:
            picture = picture.flip(2)
            boxes = sample.gt_instances.bboxes
            boxes[:, [0, 2]] = info['width'] - boxes[:, [2, 0]]
        sample.set_metainfo(dict(picture=index, drawn=float(picture.float().mean())))
        return dict(inputs=picture, data_samples=sample)


@HOOKS.register_module()
class Journal(Hook):
    """Notes what each iteration saw, one line each: its number, pictures, and what was drawn."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        seen = [(s.picture, s.drawn) for s in data_batch['data_samples']]
        rank = os.environ.get('RANK', '0')
        with open(Path(runner.work_dir) / f'seen.{rank}', 'a') as file:
            file.write(f'{runner.iter + 1} {seen}\n')


class Killed(BaseException):
    """What :class:`Strike` raises in place of signal 9."""


@HOOKS.register_module()
class Strike(Hook):
    """Sends this process (``group``: all of its group) a signal after an iteration's step.

    ``signal=None`` raises :class:`Killed` instead, before any other hook does something.
    """

    priority = 'HIGHEST'

    def __init__(
        self, after: int, signal: int | None = None, group: bool = False, rank: int = 0
    ) -> None:
        self.after, self.signal, self.group, self.rank = after, signal, group, rank

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.after and int(os.environ.get('RANK', 0)) == self.rank:
            if self.signal is None:
                raise Killed
            if self.group:
                os.killpg(0, self.signal)
            else:
                os.kill(os.getpid(), self.signal)


@METRICS.register_module()
class DrawingMetric(BaseMetric):
    """Counts pictures, and draws random numbers of training's generators."""

    def process(self, data_batch, data_samples):
        self.results += [random.random() + np.random.rand() + float(torch.rand(()))] * 2

    def compute_metrics(self, results):
        return dict(pictures=len(results))


def training_config(name: str, folder: Path, **options: Any) -> Config:
    """A training of the small student of a stock config, taught by one of twice its width.

    Args:
        name: A stock config.
        folder: Where the teacher is written.
        options: Entries of the config, merged into it.
    """
    # Fixtures of a module come before the one that does this for each test.
    register_all_modules(init_default_scope=True)
    checkpoint = folder / 'teacher.pth'
    teacher = small_config(name, width=8)
    if not checkpoint.exists():
        save_teacher(teacher, checkpoint)
    config = Config(
        dict(
            custom_imports=dict(imports=['mmdet_kdrank', 'tests.training']),
            default_scope='mmdet',
            model=distiller_config(small_config(name), teacher, str(checkpoint)),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                dataset=dict(type='NoisePictures'),
                sampler=dict(type='InfiniteSampler', shuffle=True),
                batch_sampler=dict(type='AspectRatioBatchSampler'),
            ),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=8),
            optim_wrapper=dict(
                type='OptimWrapper',
                optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
                clip_grad=dict(max_norm=35),
            ),
            param_scheduler=[
                dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=4),
                dict(type='MultiStepLR', by_epoch=False, begin=0, end=99, milestones=[6]),
            ],
            default_hooks=dict(
                checkpoint=dict(type='SafeCheckpointHook', by_epoch=False, interval=2),
                logger=dict(type='LoggerHook', interval=1),
            ),
            custom_hooks=[
                dict(type='Journal'),
                dict(type='EMAHook', momentum=0.1),
                dict(type='RandomStateHook'),
            ],
            log_processor=dict(by_epoch=False),
            randomness=dict(seed=5, deterministic=True),
            log_level='WARNING',
        )
    )
    # Merging takes `_delete_` out of what it is given.
    config.merge_from_dict(copy.deepcopy(options))
    return config


_RUNS = count()

EPOCHS = dict(
    train_cfg=dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=3),
    train_dataloader=dict(sampler=dict(type='DefaultSampler', shuffle=True)),
    default_hooks=dict(checkpoint=dict(by_epoch=True, interval=1)),
    log_processor=dict(by_epoch=True),
)
"""Options of :func:`training_config` for three epochs."""

VALIDATION = dict(
    val_cfg=dict(type='ValLoop'),
    val_dataloader=dict(
        batch_size=2,
        num_workers=0,
        dataset=dict(type='NoisePictures'),
        sampler=dict(type='DefaultSampler', shuffle=False),
    ),
    val_evaluator=dict(type='DrawingMetric'),
)
"""Options for a validation, every epoch or where ``train_cfg.val_interval`` says."""


def train(config: Config, work_dir: Path, resume: bool | str = False) -> Runner:
    """Train in this process; ``resume`` is what ``--resume`` is given."""
    # Not Runner.from_cfg: it formats the whole config for every checkpoint, which takes longer than
    # the training. And runs that start in one second would share logger and message hub.
    settings = {k: v for k, v in copy.deepcopy(config)._cfg_dict.items() if k != 'custom_imports'}
    if isinstance(resume, str):
        settings['load_from'] = resume
    runner = Runner(
        **settings,
        work_dir=str(work_dir),
        resume=bool(resume),
        experiment_name=f'run{next(_RUNS)}',
    )
    return runners.train(runner)


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint that a resumed run goes on from, by flat names."""
    file = torch.load(checkpoint, map_location='cpu')
    found = {}
    for key in ('state_dict', 'ema_state_dict', 'optimizer', 'random_states', 'param_schedulers'):
        _flatten(key, file.get(key), found)
    return found


def _flatten(name: str, value: Any, into: dict) -> None:
    if isinstance(value, dict):
        for key, entry in value.items():
            _flatten(f'{name}.{key}', entry, into)
    elif isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            _flatten(f'{name}.{index}', entry, into)
    else:
        into[name] = value if isinstance(value, torch.Tensor) else torch.tensor(hash(value))


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    """Both hold the same bits under the same names."""
    assert one.keys() == other.keys()
    differing = [name for name, value in one.items() if not torch.equal(value, other[name])]
    assert not differing, differing[:5]
