"""Detections on single images: how good they are, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmdet.evaluation.functional import eval_map
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData
from torch import nn

from mmdet_kdrank.runs.validation import ValidationImage

_PIXELS = 256  # along a side of a panel: as small as the fixed size of class names allows


@torch.no_grad()
def detect(detector: nn.Module, image: ValidationImage, threshold: float = 0.0) -> InstanceData:
    """Detect on an image: ``bboxes``, ``labels``, ``scores`` on the CPU, in pixels of the file.

    Args:
        detector: In eval mode.
        image: Left as it is.
        threshold: Least score.
    """
    # The data preprocessor changes what it is given.
    batch = {
        'inputs': list(image.batch['inputs']),
        'data_samples': [sample.clone() for sample in image.batch['data_samples']],
    }
    detections = detector.test_step(batch)[0].pred_instances.cpu()
    return detections[detections.scores >= threshold]


def image_ap50(detections: InstanceData, truth: InstanceData, num_classes: int) -> float:
    """Return AP at an IoU of 0.5 on one image, averaged over the classes that it shows.

    It is MMDetection's ``eval_map`` on this image alone. Detections of classes that it does not
    show do not count.

    Args:
        detections: ``bboxes`` (M, 4), ``labels`` (M,) and ``scores`` (M,).
        truth: ``bboxes`` (N, 4) and ``labels`` (N,), at least one.
        num_classes: Number of classes.

    Returns:
        In [0, 1].
    """
    rows = torch.cat([detections.bboxes, detections.scores[:, None]], 1).numpy()
    by_class = [rows[detections.labels.numpy() == label] for label in range(num_classes)]
    annotation = dict(bboxes=truth.bboxes.numpy(), labels=truth.labels.numpy())
    return float(eval_map([by_class], [annotation], iou_thr=0.5, logger='silent')[0])


def extremes(gains: Sequence[float], count: int) -> tuple[list[int], list[int]]:
    """Return indices of the highest and of the lowest gains, the most extreme first.

    Args:
        gains: One for each image.
        count: The most of each. Gains of 0 are in neither list.

    Example:
        >>> extremes([0.1, -0.2, 0.0, 0.5], 2)
        ([3, 0], [1])
    """
    order = np.argsort(-np.asarray(gains), kind='stable').tolist()
    best = [index for index in order if gains[index] > 0][:count]
    worst = [index for index in reversed(order) if gains[index] < 0][:count]
    return best, worst


def draw_gallery(
    images: Sequence[np.ndarray],
    columns: Mapping[str, Sequence[InstanceData]],
    dataset_meta: dict,
    path: Path | str,
    score_threshold: float = 0.3,
) -> None:
    """Draw a grid with a row for each image and a column for each source of boxes.

    Args:
        images: (H, W, 3) uint8 RGB.
        columns: By title, for each image its ``bboxes`` (N, 4) in its pixels, ``labels`` (N,)
            and, for detections, ``scores`` (N,).
        dataset_meta: With ``classes`` and ``palette``.
        path: Image file to write.
        score_threshold: Detections below it are left out.
    """
    visualizer = DetLocalVisualizer(name='gallery', line_width=2)
    visualizer.dataset_meta = dataset_meta
    figure = Figure(figsize=(3.5 * len(columns), 3.6 * len(images)), layout='constrained')
    axes = figure.subplots(len(images), len(columns), squeeze=False)
    for number, (title, boxes) in enumerate(columns.items()):
        for row, (image, instances) in enumerate(zip(images, boxes, strict=True)):
            if 'scores' in instances:
                instances = instances[instances.scores >= score_threshold]
            axis = axes[row][number]
            axis.imshow(_panel(visualizer, image, instances))
            axis.set_axis_off()
            if row == 0:
                axis.set_title(title)
    figure.savefig(path, dpi=100)


def _panel(
    visualizer: DetLocalVisualizer, image: np.ndarray, instances: InstanceData
) -> np.ndarray:
    scale = _PIXELS / max(image.shape[:2])
    instances = instances.clone()
    # The visualiser warns of a box whose right or lower edge is the image's own.
    instances.bboxes = (instances.bboxes * scale).clamp(min=0, max=_PIXELS - 1)
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    detected = 'scores' in instances
    sample = DetDataSample(**{'pred_instances' if detected else 'gt_instances': instances})
    visualizer.add_datasample(
        'panel', large, sample, draw_gt=not detected, draw_pred=detected, pred_score_thr=0.0
    )
    return visualizer.get_image()
