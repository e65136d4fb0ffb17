"""The plot of rankings: by class, by the teacher's confidence, and at the top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdet_kdrank.diagnostics.ranking import Ranking

_NAMED = 40  # more classes than that have no room for their names


def plot_rankings(
    rankings: Mapping[str, Ranking],
    classes: Sequence[str],
    edges: Sequence[float],
    path: Path | str,
) -> None:
    """Plot the rankings of several students against one teacher.

    Args:
        rankings: By the name that the legend gives them.
        classes: Names of the classes.
        edges: Bounds between the intervals of the teacher's score.
        path: Picture file to write.
    """
    figure = Figure(figsize=(12, 3.8), layout='constrained')
    classwise, confidence, top = figure.subplots(1, 3, width_ratios=(2.4, 1.2, 1))
    # By the first student's tau, so that lines of others show where they differ.
    first = [mean.value for mean in next(iter(rankings.values())).by_class]
    order = np.argsort(first)  # classes without a box, NaN, come last
    for name, found in rankings.items():
        taus = np.array([mean.value for mean in found.by_class])[order]
        classwise.plot(range(len(classes)), taus, 'o-', markersize=3, label=name)
    ticks = range(len(classes)) if len(classes) <= _NAMED else []
    classwise.set_xticks(ticks, [classes[order[i]] for i in ticks], rotation=90, fontsize=7)
    classwise.set(title='tau by class', ylabel='Kendall tau')
    classwise.legend()
    bounds = [0.0, *edges, 1.0]
    names = [f'{a:g}–{b:g}' for a, b in zip(bounds, bounds[1:], strict=False)]
    scores = {n: [mean.value for mean in found.by_score] for n, found in rankings.items()}
    _bars(confidence, scores, names)
    confidence.set(title="tau by the teacher's score", xlabel='highest class probability')
    ks = list(next(iter(rankings.values())).topk)
    shares = {n: list(found.topk.values()) for n, found in rankings.items()}
    _bars(top, shares, [f'top-{k}' for k in ks])
    top.set(title='shared best classes', ylim=(0, 1))
    for axis in (classwise, confidence, top):
        axis.grid(alpha=0.3, axis='y')
    figure.savefig(path, dpi=100)


def _bars(axis: Axes, values: Mapping[str, Sequence[float]], names: Sequence[str]) -> None:
    width = 0.8 / len(values)
    for number, (name, heights) in enumerate(values.items()):
        places = np.arange(len(names)) - 0.4 + width * (number + 0.5)
        axis.bar(places, heights, width, label=name)
    axis.set_xticks(range(len(names)), names, fontsize=8, rotation=30)
