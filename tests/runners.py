"""Runners that train small detectors on a few small pictures on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from mmdet.registry import MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from tests.detectors import raw_batch

PICTURES = 2
_names = count()


class Pictures(Dataset):
    """Samples as a data pipeline gives them."""

    def __len__(self) -> int:
        return PICTURES

    def __getitem__(self, index: int) -> dict:
        batch = raw_batch(shapes=((64, 64),), seed=index)
        return {key: values[0] for key, values in batch.items()}


def make_runner(
    model: dict | nn.Module, work_dir: Path, hooks: Sequence[dict] = (), **options: Any
) -> Runner:
    """A runner of an epoch of two iterations, with seeded weights; ``options`` override.

    Args:
        model (dict or nn.Module): A detector or its config.
        work_dir (Path): Where checkpoints go: one each epoch.
        hooks (Sequence[dict]): ``custom_hooks``.
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
