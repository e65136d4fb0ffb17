"""How alike two detectors rank the classes of the same boxes, after training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from mmdet.structures.bbox import bbox2roi, bbox_overlaps, get_box_tensor
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.heads.class_output import ClassOutput, class_output
from mmdet_kdrank.heads.prior_boxes import prior_boxes
from mmdet_kdrank.ops.agreement import row_agreement


def class_output_of(detector: nn.Module) -> ClassOutput:
    """Look up what the class output of a detector's last box head is.

    Raises:
        TypeError: If it has none, or one that is not known.
    """
    head = getattr(getattr(detector, 'roi_head', detector), 'bbox_head', None)
    if head is None:
        raise ArgumentTypeError(
            f'{type(detector).__name__} has no bbox_head, so there are no class logits to compare. '
            'Give a detector with a RoI head or a dense head.'
        )
    return class_output(head[-1] if isinstance(head, nn.ModuleList) else head)


@torch.no_grad()
def class_logits(detector: nn.Module, batch: dict, boxes: Sequence[Tensor]) -> Tensor:
    """Take a detector's class logits of given boxes.

    A two-stage detector classifies the boxes as RoIs, with its last stage. A dense detector has
    classified its priors (anchors, or cells of points): each box gets the logits of the prior that
    overlaps it most, and of several the one with the nearest centre, since a small box lies as a
    whole in many. Detectors with the same priors are asked at the same one.

    Args:
        detector: In eval mode.
        batch: A batch of a data loader.
        boxes: Of each image, (N_i, 4): x1, y1, x2, y2 in pixels of the network's input.

    Returns:
        (sum of N_i, channels) logits, a background channel last where the head has one.

    Raises:
        TypeError: If the detector has no class logits of a box.
    """
    output = class_output_of(detector)
    images = detector.data_preprocessor(batch, training=False)['inputs']
    features = detector.extract_feat(images)
    boxes = [box.to(features[0]) for box in boxes]
    roi_head = getattr(detector, 'roi_head', None)
    if roi_head is not None:
        stages = getattr(roi_head, 'num_stages', 1)
        stage = (stages - 1,) if isinstance(roi_head.bbox_head, nn.ModuleList) else ()
        return output.logits(roi_head._bbox_forward(*stage, features, bbox2roi(boxes))['cls_score'])
    maps = detector.bbox_head(features)[0]
    logits = torch.cat([output.rows(level) for level in maps], dim=1)
    priors = prior_boxes(detector.bbox_head, [level[:1] for level in maps])
    return torch.cat(
        [rows[_best_prior(box, priors)] for rows, box in zip(logits, boxes, strict=True)]
    )


def _best_prior(boxes: Tensor, priors: Tensor) -> Tensor:
    """Index of the prior of each box, (N,)."""
    overlaps = bbox_overlaps(boxes, priors)
    centres = ((each[:, :2] + each[:, 2:]) / 2 for each in (boxes, priors))
    distance = torch.cdist(*centres, compute_mode='donot_use_mm_for_euclid_dist')
    # Equal overlaps differ by their rounding.
    best = overlaps >= overlaps.amax(dim=1, keepdim=True) - 1e-5
    return distance.masked_fill(~best, float('inf')).argmin(dim=1)


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
