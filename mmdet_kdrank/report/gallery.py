"""Ground truth and the detections of several detectors side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData

_PIXELS = 256  # along a side of a panel: as small as the fixed size of class names allows


def _panel(
    visualizer: DetLocalVisualizer, picture: np.ndarray, instances: InstanceData
) -> np.ndarray:
    scale = _PIXELS / max(picture.shape[:2])
    instances = instances.clone()
    # The visualiser warns of a box whose right or lower edge is the picture's own.
    instances.bboxes = (instances.bboxes * scale).clamp(min=0, max=_PIXELS - 1)
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    found = 'scores' in instances
    sample = DetDataSample(**{'pred_instances' if found else 'gt_instances': instances})
    visualizer.add_datasample(
        'panel', large, sample, draw_gt=not found, draw_pred=found, pred_score_thr=0.0
    )
    return visualizer.get_image()


def draw_gallery(
    pictures: Sequence[np.ndarray],
    columns: Mapping[str, Sequence[InstanceData]],
    dataset_meta: dict,
    path: Path | str,
    score_threshold: float = 0.3,
) -> None:
    """Draw a grid: one row a picture, one column a source of boxes.

    Args:
        pictures: (H, W, 3) uint8 RGB.
        columns: By title, for each picture its ``bboxes`` (N, 4) in its pixels, ``labels`` (N,)
            and, for detections, ``scores`` (N,).
        dataset_meta: With ``classes`` and ``palette``.
        path: Picture file to write.
        score_threshold: Detections below it are left out.
    """
    visualizer = DetLocalVisualizer(name='gallery', line_width=2)
    visualizer.dataset_meta = dataset_meta
    figure = Figure(figsize=(3.5 * len(columns), 3.6 * len(pictures)), layout='constrained')
    axes = figure.subplots(len(pictures), len(columns), squeeze=False)
    for number, (title, found) in enumerate(columns.items()):
        for row, (picture, instances) in enumerate(zip(pictures, found, strict=True)):
            if 'scores' in instances:
                instances = instances[instances.scores >= score_threshold]
            axis = axes[row][number]
            axis.imshow(_panel(visualizer, picture, instances))
            axis.set_axis_off()
            if row == 0:
                axis.set_title(title)
    figure.savefig(path, dpi=100)
