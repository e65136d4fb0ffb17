"""A training step of a pair of detectors, beside the teacher's own answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.distillers import DistillSamples, class_output
from mmdet_kdrank.distillers.capture import watch_method
from tests.detectors import build, distiller_config, raw_batch, save_teacher, training_losses


def distilled(
    student: dict,
    teacher: dict,
    folder: Path,
    meta: dict | None = None,
    batch: dict | None = None,
    **options: Any,
) -> tuple[nn.Module, dict, DistillSamples, Tensor]:
    """Distil once.

    Returns:
        tuple: The distiller, its losses, the samples before any is selected, and the teacher's
        logits of the same RoIs or priors, from a detector built, loaded and run apart.
    """
    batch = batch or {}
    checkpoint = save_teacher(teacher, folder / 'teacher.pth', meta=meta)
    model = build(distiller_config(student, teacher, checkpoint, **options))
    samples, rois, select = [], [], model.selector
    model.selector = lambda rows: samples.append(rows) or select(rows)
    alone = MODELS.build(teacher).eval()
    alone.load_state_dict(torch.load(checkpoint, weights_only=True)['state_dict'])
    inputs = model.data_preprocessor(raw_batch(**batch), training=True)['inputs']
    if 'roi_head' not in student:
        losses = training_losses(model, **batch)
        output = class_output(alone.bbox_head)
        with torch.no_grad():
            levels = alone(inputs, mode='tensor')[0]
        answer = torch.cat([output.rows(level).flatten(0, 1) for level in levels])
        return model, losses, samples[0], answer
    head = model.roi_head.bbox_head
    with watch_method(head, 'loss', lambda arguments, _: rois.append(arguments['rois'])):
        losses = training_losses(model, **batch)
    with torch.no_grad():
        answer = alone.roi_head._bbox_forward(alone.extract_feat(inputs), rois[0])['cls_score']
    return model, losses, samples[0], answer
