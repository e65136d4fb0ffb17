"""A training step of a pair of detectors, beside the answers of both, each run apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.distillers import DistillSamples
from mmdet_kdrank.heads import class_output
from mmdet_kdrank.heads.capture import watch_forward, watch_method
from tests.detectors import build, distiller_config, raw_batch, save_teacher, training_losses


@dataclass
class Step:
    """What a distilling step did.

    Args:
        model: The distiller.
        losses: What it logged.
        samples: What its selector was given.
        student: Logits of the student's own RoIs or priors, all its classes, (N, C).
        teacher: The teacher's logits there, all its classes, from a detector built, loaded
            and run apart.
    """

    model: nn.Module
    losses: dict
    samples: DistillSamples
    student: Tensor
    teacher: Tensor


def distilled(
    student: dict,
    teacher: dict,
    folder: Path,
    meta: dict | None = None,
    batch: dict | None = None,
    **options: Any,
) -> Step:
    """Distil ``teacher`` into ``student`` once."""
    batch = batch or {}
    checkpoint = save_teacher(teacher, folder / 'teacher.pth', meta=meta)
    model = build(distiller_config(student, teacher, checkpoint, **options))
    samples, select = [], model.distill_terms.selector
    model.distill_terms.selector = lambda rows: samples.append(rows) or select(rows)
    alone = MODELS.build(teacher).eval()
    alone.load_state_dict(torch.load(checkpoint, weights_only=True)['state_dict'])
    answers = _rois if 'roi_head' in student else _priors
    losses, ours, theirs = answers(model, alone, batch)
    return Step(model, losses, samples[0], ours.detach(), theirs)


def _rois(model: nn.Module, alone: nn.Module, batch: dict) -> tuple[dict, Tensor, Tensor]:
    calls = []
    with watch_method(model.roi_head.bbox_head, 'loss', lambda call, _: calls.append(call)):
        losses = training_losses(model, **batch)
    (call,) = calls
    with torch.no_grad():
        features = alone.extract_feat(_images(model, batch))
        theirs = alone.roi_head._bbox_forward(features, call['rois'])['cls_score']
    return losses, call['cls_score'], theirs


def _priors(model: nn.Module, alone: nn.Module, batch: dict) -> tuple[dict, Tensor, Tensor]:
    maps = []
    with watch_forward(model.bbox_head, lambda _, result: maps.append(result[0])):
        losses = training_losses(model, **batch)
    with torch.no_grad():
        theirs = alone(_images(model, batch), mode='tensor')[0]
    return losses, _rows(model.bbox_head, maps[0]), _rows(alone.bbox_head, theirs)


def _images(model: nn.Module, batch: dict) -> Tensor:
    return model.data_preprocessor(raw_batch(**batch), training=True)['inputs']


def _rows(head: nn.Module, maps: list[Tensor]) -> Tensor:
    output = class_output(head)
    return torch.cat([output.rows(level).flatten(0, 1) for level in maps])
