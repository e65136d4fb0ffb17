"""What the plots share."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's, which colour-blind readers tell apart.
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


def colour(term: str) -> str:
    """The colour that a term has in every plot."""
    if term.endswith('+ rank'):
        return '#000000'
    return _COLOURS.get(term) or _BLUES.get(term.rsplit('T = ', 1)[-1], _BLUES['1'])


def panels(rows: int, columns: int, width: float = 4.2, height: float = 3.6) -> tuple:
    """A figure, and its axes as a list of rows."""
    figure = Figure(figsize=(width * columns, height * rows), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False)
    for each in axes.flat:
        each.spines[['top', 'right']].set_visible(False)
        each.grid(alpha=0.25, lw=0.6)
    return figure, axes


def titled(axes: Axes, title: str, x: str, y: str) -> None:
    """Name a panel and its axes."""
    axes.set_title(title, loc='left', fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def save(figure: Figure, path: Path) -> None:
    """Write the picture."""
    figure.savefig(path, dpi=90)
