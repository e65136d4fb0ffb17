"""Distilling detectors on ranks, and batches that are cut over them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

import mmdet_kdrank  # noqa: F401  (imported for what it registers)
from tests.detectors import FASTER, build, distiller_config, raw_batch, small_config

SIZE = (64, 64)
KEYS = ('loss_kd', 'loss_rank')


def distiller(name: str, checkpoint: str, **options) -> nn.Module:
    """A seeded student, of which every RoI is sampled: no draw that differs between batches."""
    student = small_config(name)
    if name == FASTER:
        student.train_cfg.rcnn.sampler.num = 512
    model = build(distiller_config(student, small_config(name, width=8), checkpoint, **options))
    # As a training loop does: it puts batch norm into eval mode.
    return model.train()


def batch(boxes: Sequence[int], first: int = 0) -> dict:
    """Pictures of one size with so many objects each; picture i is the same in every batch."""
    pictures = [
        raw_batch((SIZE,), boxes=count, seed=first + index) for index, count in enumerate(boxes)
    ]
    return {key: [item for one in pictures for item in one[key]] for key in pictures[0]}


def wrap(model: nn.Module) -> nn.Module:
    """DistributedDataParallel as MMEngine's runner sets it up; unused parameters are an error."""
    return MMDistributedDataParallel(model, broadcast_buffers=False)


def distillation_gradients(model: nn.Module, data: dict) -> dict[str, torch.Tensor]:
    """Gradients of the distillation losses alone; the student's own take part with weight 0."""
    inner = getattr(model, 'module', model)
    torch.manual_seed(0)
    losses, log = inner.parse_losses(
        model(**inner.data_preprocessor(data, training=True), mode='loss')
    )
    distilled = sum(log[key] for key in KEYS)
    (distilled + 0 * losses).backward()
    return {name: p.grad.clone() for name, p in inner.named_parameters() if p.grad is not None}
