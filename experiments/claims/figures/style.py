"""Style and helpers that the plots share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Colours of Okabe and Ito, which colour-blind readers can distinguish.
_BLUES = {'1': '#0072B2', '2': '#56B4E9', '4': '#9AD1F0'}
_COLOURS = {
    'MSE': '#E69F00',
    'DKD': '#8C6BB1',
    'rank': '#D55E00',
    'rank, cosine': '#CC79A7',
    'rank, standardised': '#009E73',
    'rank, k = 10': '#E69F00',
    'tanh': '#D55E00',
    'erf': '#CC79A7',
    'algebraic': '#009E73',
    'atan': '#E69F00',
    'tanh, k = 0.1': '#8C6BB1',
    'tanh, standardised': '#555555',
}

_FROM_TEACHER = ', from the teacher'


def colour(term: str) -> str:
    """Return the colour that a term has in every plot."""
    if term.endswith('+ rank'):
        return '#000000'
    return _COLOURS.get(term) or _BLUES.get(term.rsplit('T = ', 1)[-1], _BLUES['1'])


def panels(rows: int, columns: int, width: float = 4.2, height: float = 3.6) -> tuple:
    """Return a figure, and its axes as a list of rows."""
    figure = Figure(figsize=(width * columns, height * rows), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.spines[['top', 'right']].set_visible(False)
        panel.grid(alpha=0.25, lw=0.6)
    return figure, axes


def titled(axes: Axes, title: str, x: str, y: str) -> None:
    """Name a panel and its axes."""
    axes.set_title(title, loc='left', fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def save(figure: Figure, path: Path) -> None:
    """Write the figure."""
    figure.savefig(path, dpi=90)


def draw_by_set(
    data: Mapping[str, dict], path: Path, draw: Callable[[Axes, Axes, str, dict], None]
) -> None:
    """Draw a column of two panels for each set.

    Args:
        data: Measurements by the name of the set.
        path: Image file to write.
        draw: Called with the upper panel, the lower panel, the name and the measurements.
    """
    figure, rows = panels(2, len(data))
    for (name, measured), upper, lower in zip(data.items(), *rows, strict=True):
        draw(upper, lower, name, measured)
    rows[0][0].legend(fontsize=7)
    save(figure, path)


def draw_descents(upper: Axes, lower: Axes, name: str, traces: Mapping[str, dict]) -> None:
    """Draw tau and KL along descents; those that start from the teacher are dashed."""
    for axes, quantity, label in (
        (upper, 'tau', 'tau'),
        (lower, 'divergence', 'KL from the teacher, nats'),
    ):
        for term, trace in traces.items():
            start = term.removesuffix(_FROM_TEACHER)
            axes.plot(
                [step + 1 for step in trace['steps']],
                trace[quantity],
                '-' if start == term else '--',
                color=colour(start),
                label=term,
            )
        axes.set(xscale='log')
        titled(axes, name, 'steps of descent + 1', label)
    lower.set(yscale='log')


def points(axes: Axes, rows: Sequence[tuple[float, float]], **style: Any) -> None:
    """Draw (x, y) as dots along a line."""
    axes.plot(*zip(*rows, strict=True), 'o-', ms=3, **style)
