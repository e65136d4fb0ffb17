#!/usr/bin/env python
"""Draws time and memory against rows and classes, from the CSV files of scaling.py."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.harness import read_rows
from benchmarks.report.text import memory, seconds
from benchmarks.script import RESULTS, ROOT

IMAGES = ROOT / 'docs' / 'reports' / 'images'
# Okabe and Ito's, which colour-blind readers tell apart.
_COLOURS = {
    'reference': '#D55E00',
    'plain autograd': '#E69F00',
    'chunked': '#0072B2',
    'native': '#009E73',
    'triton': '#CC79A7',
}
_AXES = {'n': ('rows N', 'C = {c}'), 'c': ('classes C', 'N = {n}')}
_BOUND = '#555555'

Row = dict[str, str]
Points = list[tuple[float, float]]


def draw(rows: list[Row], axis: str, path: Path) -> None:
    """Draw time and memory, on log axes, with the bound.

    Args:
        rows: Rows of ``scaling_DEVICE.csv``.
        axis: ``'n'`` or ``'c'``.
        path: Image file to write.
    """
    here = [row for row in rows if row['axis'] == axis and row['median_s']]
    mode = here[-1]['mode']
    here = [row for row in here if row['mode'] == mode]
    label, fixed = _AXES[axis]
    figure = Figure(figsize=(10.5, 4.2), layout='constrained')
    left, right = figure.subplots(1, 2)
    _panel(
        left,
        here,
        axis,
        'median_s',
        _sorted({_at(row, axis, 'bound_s') for row in here if row['bound_s']}),
    )
    output = {(float(row[axis]), 4.0 * int(row['n']) * (int(row['c']) + 1)) for row in here}
    _panel(right, here, axis, 'peak_extra_bytes', _sorted(output), 'gradient and τ alone')
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(str(value))))
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: memory(str(value))))
    where = fixed.format(**here[0])
    left.set_title(f'time, forward and backward, {where}', loc='left', fontsize=10)
    right.set_title(f'peak memory beyond the input, {where}', loc='left', fontsize=10)
    for axes in (left, right):
        axes.set_xlabel(label)
    figure.savefig(path, dpi=120)


def _at(row: Row, axis: str, column: str) -> tuple[float, float]:
    return float(row[axis]), float(row[column])


def _sorted(points: set[tuple[float, float]]) -> Points:
    return sorted(points)


def _panel(
    axes: Axes, rows: list[Row], axis: str, column: str, bound: Points, bound_name: str = 'bound'
) -> None:
    ends: list[tuple[float, float, str, str]] = []
    for name, colour in _COLOURS.items():
        # What fits in pages that were resident before has no place on a log axis.
        points = [
            _at(row, axis, column)
            for row in rows
            if row['candidate'] == name and row[column] and float(row[column]) > 0
        ]
        if points:
            axes.plot(*zip(*points, strict=True), 'o-', ms=3.5, lw=1.6, color=colour)
            ends.append((*points[-1], name, colour))
    # Not every GPU's rates are known.
    if bound:
        axes.plot(*zip(*bound, strict=True), '--', lw=1.2, color=_BOUND)
        ends.append((*bound[-1], bound_name, _BOUND))
    axes.set(xscale='log', yscale='log')
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(alpha=0.25, lw=0.6)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    values = sorted({float(row[axis]) for row in rows})
    axes.set_xticks(values, [f'{value:,.0f}' for value in values], rotation=30)
    # Room for the labels.
    axes.set_ylim(top=4 * axes.get_ylim()[1])
    left, right = min(ends)[0], max(ends)[0]
    for x, y, name, colour in _apart(ends):
        # Lines that end early have others to their right, and nothing above them.
        inside = x < right
        axes.annotate(
            name,
            (x, y),
            xytext=(-4, 4) if inside else (6, 0),
            textcoords='offset points',
            ha='left' if not inside else 'right' if x == left else 'center',
            va='bottom' if inside else 'center',
            color=colour,
            fontsize=9,
            annotation_clip=False,
            path_effects=[withStroke(linewidth=3, foreground='white')],
        )


def _apart(
    ends: list[tuple[float, float, str, str]], factor: float = 1.6
) -> list[tuple[float, float, str, str]]:
    """Move labels at one x up until none covers another."""
    placed: list[tuple[float, float, str, str]] = []
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        below = [other for other in placed if other[0] == x]
        placed.append((x, max([y, *(factor * other[1] for other in below)]), name, colour))
    return placed


def draw_all(results: Path, images: Path) -> list[Path]:
    """Draw the plots of every device.

    Args:
        results: Folder of the CSV files.
        images: Folder of the plots.

    Returns:
        The files of the plots.
    """
    images.mkdir(parents=True, exist_ok=True)
    paths = []
    for file in sorted(results.glob('scaling_*.csv')):
        rows = read_rows(file)
        for axis in _AXES:
            device = file.stem.removeprefix('scaling_')
            paths.append(images / f'performance_{device}_{axis}.png')
            draw(rows, axis, paths[-1])
    return paths


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description='Draw the plots of docs/reports/performance.md.')
    parser.add_argument('--results', type=Path, default=RESULTS)
    parser.add_argument('--images', type=Path, default=IMAGES)
    options = parser.parse_args()
    for path in draw_all(options.results, options.images):
        print(f'wrote {path}')
