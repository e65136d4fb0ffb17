"""How alike two detectors rank the classes of the same boxes, after training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor, nn

from mmdet_kdrank.ops.agreement import row_agreement
from mmdet_kdrank.runs.box_logits import class_logits


def class_logits_of_true_boxes(detector: nn.Module, batch: dict) -> Tensor:
    """Let a detector classify the annotated boxes of a batch.

    Args:
        detector: In eval mode, as in :func:`class_logits`.
        batch: A batch of a data loader whose pipeline loads annotations, boxes in pixels of the
            network's input.

    Returns:
        (N, channels) logits, N the number of annotated boxes in the batch.
    """
    samples = batch['data_samples']
    boxes = [get_box_tensor(sample.gt_instances.bboxes) for sample in samples]
    return class_logits(detector, batch, boxes)


def class_agreement(
    student: nn.Module, teacher: nn.Module, batches: Iterable[dict]
) -> dict[str, float]:
    """Compare the class rankings of student and teacher on the annotated boxes.

    Unlike the training's own ``distill_tau`` this needs no distillation, so a student trained
    alone is measured as any other. Both must know the same classes in the same order, and dense
    detectors the same priors.

    Args:
        student: In eval mode.
        teacher: In eval mode.
        batches: What :func:`class_logits_of_true_boxes` takes.

    Returns:
        ``tau`` (mean hard Kendall coefficient over all channels, in [-1, 1]), ``top1`` (share of
        boxes on which both rank the same class first) and ``boxes`` (their number).
    """
    rows = [
        row_agreement(
            class_logits_of_true_boxes(student, batch), class_logits_of_true_boxes(teacher, batch)
        )
        for batch in batches
    ]
    tau, top1 = (torch.cat(parts) for parts in zip(*rows, strict=True))
    return {
        'tau': float(tau.mean()),
        'top1': float(top1.float().mean()),
        'boxes': len(tau),
    }
