"""Plots of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mmdet_kdrank.runs.scalars import MEAN_AP, curve


def plot_differences(pairs: list[dict], path: Path) -> bool:
    """Plot the mean difference in mAP of each pair, its quoted interval, and each seed's.

    Args:
        pairs: Those of ``results.json``.
        path: Image file to write.

    Returns:
        Whether there was anything to plot.
    """
    shown = [pair for pair in pairs if 'mAP' in pair['measures']]
    if not shown:
        return False
    figure = Figure(figsize=(7, 1.2 + 0.4 * len(shown)), layout='constrained')
    axis = figure.subplots()
    for row, pair in enumerate(shown):
        measure = pair['measures']['mAP']
        mean, quoted = measure['difference'], measure.get('intervals', {}).get('quoted')
        axis.plot(
            [100 * value for value in measure['per_seed']],
            [row + 0.18] * len(measure['per_seed']),
            linestyle='none',
            marker='|',
            color='0.5',
        )
        if quoted:
            axis.plot([100 * quoted['low'], 100 * quoted['high']], [row, row], color='C0')
        axis.plot([100 * mean], [row], marker='o', color='C0')
    axis.axvline(0, color='0.3', linewidth=0.8)
    axis.set_yticks(
        range(len(shown)), [f'{pair["variant"]} − {pair["reference"]}' for pair in shown]
    )
    figure.supxlabel('difference in mAP, points: mean, 95 % interval, and each seed (|)', size=10)
    axis.set_ylim(len(shown) - 0.5, -0.5)
    axis.grid(axis='x', alpha=0.3)
    figure.savefig(path, dpi=110)
    return True


def plot_seeds(values: Mapping[str, Mapping[int, float]], path: Path) -> None:
    """Plot the mAP of all runs, those of one seed linked.

    Args:
        values: mAP by variant and seed.
        path: Image file to write.
    """
    names = list(values)
    figure = Figure(figsize=(2 + min(1.1 * len(names), 12), 4), layout='constrained')
    axis = figure.subplots()
    seeds = sorted({seed for by_seed in values.values() for seed in by_seed})
    for number, seed in enumerate(seeds):
        points = [
            (column, 100 * values[name][seed])
            for column, name in enumerate(names)
            if seed in values[name]
        ]
        axis.plot(*zip(*points, strict=True), marker='o', alpha=0.7, color=f'C{number % 10}')
    axis.set_xticks(range(len(names)), names, rotation=30, ha='right')
    axis.set(ylabel='mAP, points', title='lines link the runs of one seed')
    axis.grid(axis='y', alpha=0.3)
    figure.savefig(path, dpi=110)


def plot_validation(scalars: Mapping[str, list[list[dict[str, float]]]], path: Path) -> bool:
    """Plot the mAP on the validation set over the iterations: each run, and the mean over seeds.

    Args:
        scalars: Records of each run by variant.
        path: Image file to write.

    Returns:
        Whether any run was validated more than once.
    """
    curves = {
        name: [points for records in runs if len((points := curve(records, MEAN_AP))[0]) > 1]
        for name, runs in scalars.items()
    }
    if not any(curves.values()):
        return False
    figure = Figure(figsize=(6.4, 4), layout='constrained')
    axis = figure.subplots()
    for number, (name, runs) in enumerate(curves.items()):
        for steps, values in runs:
            axis.plot(steps, [100 * value for value in values], color=f'C{number}', alpha=0.25)
        # A mean over other seeds at another step would be another curve.
        if runs and all(steps == runs[0][0] for steps, _ in runs):
            means = 100 * np.mean([values for _, values in runs], axis=0)
            axis.plot(runs[0][0], means, color=f'C{number}', linewidth=2, label=name)
    axis.set(xlabel='iteration, or epoch', ylabel='mAP on the validation set, points')
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=110)
    return True
