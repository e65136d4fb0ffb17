"""How well a detector does on single pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.evaluation.functional import eval_map
from mmengine.structures import InstanceData
from torch import nn

from mmdet_kdrank.runs.validation import Picture


@torch.no_grad()
def detect(detector: nn.Module, picture: Picture, threshold: float = 0.0) -> InstanceData:
    """Detect on an image: ``bboxes``, ``labels``, ``scores`` on the CPU, in pixels of the file.

    Args:
        detector: In eval mode.
        picture: The picture, left as it is.
        threshold: Least score.
    """
    # The data preprocessor changes what it is given.
    batch = {
        'inputs': list(picture.batch['inputs']),
        'data_samples': [sample.clone() for sample in picture.batch['data_samples']],
    }
    found = detector.test_step(batch)[0].pred_instances.cpu()
    return found[found.scores >= threshold]


def image_ap50(found: InstanceData, truth: InstanceData, num_classes: int) -> float:
    """AP at an overlap of 0.5 on one picture, averaged over the classes that it shows.

    MMDetection's ``eval_map`` on this picture alone: detections of classes that it does not show do
    not count.

    Args:
        found: ``bboxes`` (M, 4), ``labels`` (M,) and ``scores`` (M,).
        truth: ``bboxes`` (N, 4) and ``labels`` (N,), at least one.
        num_classes: Number of classes.

    Returns:
        In [0, 1].
    """
    rows = torch.cat([found.bboxes, found.scores[:, None]], 1).numpy()
    by_class = [rows[found.labels.numpy() == label] for label in range(num_classes)]
    annotation = dict(bboxes=truth.bboxes.numpy(), labels=truth.labels.numpy())
    return float(eval_map([by_class], [annotation], iou_thr=0.5, logger='silent')[0])


def extremes(gains: Sequence[float], count: int) -> tuple[list[int], list[int]]:
    """Return indices of the highest and of the lowest gains, the most extreme first.

    Args:
        gains: One a picture.
        count: At most so many of each; only gains above 0, and only ones below.

    Example:
        >>> extremes([0.1, -0.2, 0.0, 0.5], 2)
        ([3, 0], [1])
    """
    order = np.argsort(-np.asarray(gains), kind='stable').tolist()
    best = [index for index in order if gains[index] > 0][:count]
    worst = [index for index in reversed(order) if gains[index] < 0][:count]
    return best, worst
