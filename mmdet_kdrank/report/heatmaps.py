"""The plot of confusions beside the teacher's similarity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from mmdet_kdrank.report.confusion import row_shares

_NAMED = 40  # more classes than that have no room for their names


def plot_confusion(summary: dict, path: Path | str) -> None:
    """Plot the teacher's similarity and each student's confusion, without what is right.

    Args:
        summary: What :func:`~mmdet_kdrank.report.confusion.confusion_summary` gave.
        path: Picture file to write.
    """
    classes = summary['classes']
    panels = {"teacher's mean score": np.array(summary['similarity'])}
    for name, found in summary['students'].items():
        title = f'{name}: {100 * found["right"]:.1f} % right'
        panels[title] = row_shares(torch.tensor(found['counts'])).numpy()
    side = max(3.2, min(6.0, 0.16 * len(classes)))
    figure = Figure(figsize=(side * len(panels) + 1.2, side + 0.9), layout='constrained')
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (title, matrix) in zip(axes, panels.items(), strict=True):
        wrong = np.where(np.eye(len(classes), dtype=bool), np.nan, matrix)
        top = np.nanmax(wrong) if len(classes) > 1 else 1
        image = axis.imshow(wrong, cmap='viridis', vmin=0, vmax=top or 1)
        axis.set(title=title, xlabel='taken for')
        ticks = range(len(classes)) if len(classes) <= _NAMED else []
        axis.set_xticks(ticks, [classes[i] for i in ticks], rotation=90, fontsize=6)
        axis.set_yticks(ticks, [classes[i] for i in ticks], fontsize=6)
        figure.colorbar(image, ax=axis, shrink=0.7)
    axes[0].set_ylabel('true class')
    figure.savefig(path, dpi=100)
