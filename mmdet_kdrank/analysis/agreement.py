"""How alike two detectors rank the classes of the same boxes, after training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from mmdet.models.detectors import TwoStageDetector
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from torch import Tensor

from mmdet_kdrank.ops import kendall_tau


@torch.no_grad()
def class_logits_of_true_boxes(detector: TwoStageDetector, batch: dict) -> Tensor:
    """Let a two-stage detector classify the annotated boxes of a batch.

    Args:
        detector: In eval mode, with one box head.
        batch: A batch of a data loader whose pipeline loads annotations, boxes in pixels of the
            network's input.

    Returns:
        (N, num_classes + 1) logits, N the number of annotated boxes in the batch.
    """
    data = detector.data_preprocessor(batch, training=False)
    samples: SampleList = data['data_samples']
    boxes = [get_box_tensor(sample.gt_instances.bboxes) for sample in samples]
    features = detector.extract_feat(data['inputs'])
    rois = bbox2roi([box.to(features[0]) for box in boxes])
    return detector.roi_head._bbox_forward(features, rois)['cls_score']


def class_agreement(
    student: TwoStageDetector, teacher: TwoStageDetector, batches: Iterable[dict]
) -> dict[str, float]:
    """Compare the class rankings of student and teacher on the annotated boxes.

    Unlike the training's own ``distill_tau`` this needs no distillation, so a student trained
    alone is measured as any other. Both must know the same classes in the same order.

    Args:
        student: In eval mode.
        teacher: In eval mode.
        batches: What :func:`class_logits_of_true_boxes` takes.

    Returns:
        ``tau`` (mean hard Kendall coefficient over all channels, in [-1, 1]), ``top1`` (share of
        boxes on which both rank the same class first) and ``boxes`` (their number).
    """
    taus, same = [], []
    for batch in batches:
        ours = class_logits_of_true_boxes(student, batch)
        theirs = class_logits_of_true_boxes(teacher, batch)
        taus.append(kendall_tau(ours, theirs, surrogate='sign'))
        same.append(ours.argmax(dim=1) == theirs.argmax(dim=1))
    tau, top1 = torch.cat(taus), torch.cat(same)
    return {
        'tau': float(tau.mean()),
        'top1': float(top1.float().mean()),
        'boxes': len(tau),
    }
