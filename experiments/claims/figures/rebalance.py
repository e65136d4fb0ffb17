"""The gradient that unlikely classes get from rank alongside KL, and what they learn from it."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from experiments.claims.figures.style import colour, draw_by_set, points, titled


def draw(record: dict, path: Path) -> None:
    """Draw a column per set: the share by weight, and tau of unlikely classes after descent.

    Args:
        record: Record of the claim.
        path: Image file to write.
    """
    draw_by_set(record['data'], path, _draw_set)


def _draw_set(upper: Axes, lower: Axes, name: str, measured: dict) -> None:
    points(upper, measured['share by weight'], color='black')
    upper.axhline(measured['share alone'], color=colour('T = 1'), ls='--', label='without rank')
    upper.axhline(1, color='grey', lw=0.8, ls=':', label='fair')
    upper.set(xscale='log', ylim=(0, 1.3))
    titled(upper, name, 'weight of rank', 'gradient per unlikely class')
    learnt = measured['tau of unlikely classes']
    colours = ['grey' if term == 'start' else colour(term) for term in learnt]
    lower.bar(list(learnt), list(learnt.values()), color=colours)
    titled(lower, f'{name}: after descent', '', 'tau among unlikely classes')
