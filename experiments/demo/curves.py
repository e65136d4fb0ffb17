"""The plot of several trainings side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from mmdet_kdrank.runs.scalars import MEAN_AP, curve

_PANELS = (
    (MEAN_AP, 'COCO mAP on val'),
    ('distill_tau', 'Kendall tau, student and teacher, on training RoIs'),
    ('loss_rank', 'ranking loss'),
)


def plot_curves(trainings: Mapping[str, list[dict[str, float]]], path: Path | str) -> None:
    """Plot mAP, tau and the ranking loss over the iterations.

    Args:
        trainings: Records of :func:`read_scalars` by the name that the legend gives them.
        path: Image file to write. A quantity that no training logged has no panel.
    """
    panels = [
        (key, title)
        for key, title in _PANELS
        if any(curve(records, key)[0] for records in trainings.values())
    ]
    figure = Figure(figsize=(5.2 * max(1, len(panels)), 3.8), layout='constrained')
    axes = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for axis, (key, title) in zip(axes, panels, strict=False):
        for number, (name, records) in enumerate(trainings.items()):
            steps, values = curve(records, key)
            if steps:
                marker = 'o' if len(steps) < 12 else None
                axis.plot(steps, values, color=f'C{number}', marker=marker, label=name)
        axis.set(title=title, xlabel='iteration')
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=110)
