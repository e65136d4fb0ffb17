"""Runners that train small detectors on a few small pictures on the CPU."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import METRICS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from tests.detectors import raw_batch

PICTURES = 2
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_names = count()


class Pictures(Dataset):
    """Samples as a data pipeline gives them."""

    def __init__(self, length: int = PICTURES) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        batch = raw_batch(shapes=((64, 64),), seed=index)
        return {key: values[0] for key, values in batch.items()}


class Mean(BaseModel):
    """A model of one weight, for tests of what is around a model."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, inputs: list, data_samples: list, mode: str = 'tensor') -> Any:
        if mode == 'loss':
            return dict(loss=self.weight * inputs[0].float().mean() / 255)
        return data_samples


@METRICS.register_module()
class Rising(BaseMetric):
    """Is better with each validation: ``score`` counts them."""

    default_prefix = None
    validations = 0

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(None)

    def compute_metrics(self, results: list) -> dict:
        self.validations += 1
        return dict(score=self.validations)


def validation(batches: int = PICTURES, **sampler: Any) -> dict[str, Any]:
    """Options of :func:`make_runner` for a validation with :class:`Rising`."""
    return dict(
        val_dataloader=dict(
            dataset=Pictures(batches),
            sampler=dict(type='DefaultSampler', shuffle=False, **sampler),
            collate_fn=dict(type='pseudo_collate'),
            batch_size=1,
            num_workers=0,
        ),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='Rising'),
    )


class Act(Hook):
    """Does something to the runner when a point of the run is reached for the n-th time.

    Args:
        point: Name of a hook's method.
        action: Is given the runner.
        times: At which times; always, if there are none.
    """

    def __init__(self, point: str, action: Callable[[Runner], Any], *times: int) -> None:
        self.action, self.times, self.reached = action, times, 0
        setattr(self, point, self._reach)

    def _reach(self, runner: Runner, **kwargs: Any) -> None:
        self.reached += 1
        if not self.times or self.reached in self.times:
            self.action(runner)


def terminate(runner: Runner) -> None:
    """Send this process SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)


def train(runner: Runner) -> Runner:
    """Train, and give the signals back to whom they belonged, as the end of a process does."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        runner.train()
    finally:
        # A run that ends by an exception leaves them to the process that ends with it.
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return runner


def make_runner(
    model: dict | nn.Module, work_dir: Path, hooks: Sequence[dict] = (), **options: Any
) -> Runner:
    """A runner of an epoch of two iterations, with seeded weights; ``options`` override.

    Args:
        model: A detector or its config.
        work_dir: Where checkpoints go: one each epoch.
        hooks: ``custom_hooks``.
        **options: Arguments of the runner.
    """
    train_cfg = options.get('train_cfg', dict(by_epoch=True, max_epochs=1))
    sampler = 'DefaultSampler' if train_cfg['by_epoch'] else 'InfiniteSampler'
    arguments = dict(
        model=model if isinstance(model, nn.Module) else MODELS.build(model),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Pictures(),
            sampler=dict(type=sampler, shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
            batch_size=1,
            num_workers=0,
        ),
        train_cfg=train_cfg,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4)),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=list(hooks),
        default_scope='mmdet',
        experiment_name=f'test{next(_names)}',
        randomness=dict(seed=0),
        log_level='ERROR',
    )
    return Runner(**{**arguments, **options})
