"""Draws what the steepness changes."""

from __future__ import annotations

from pathlib import Path

from experiments.claims.figures.style import panels, points, save, titled

_PANELS = {
    'tau of the teacher with itself': 'soft tau at s = t',
    'gradient at s = t': '|gradient| at s = t, over that at a random start',
    'cosine with KL': "cosine with KL's gradient",
    'tau learnt': 'hard tau after descent from random starts',
}


def draw(record: dict, path: Path) -> None:
    """Draw a panel for each quantity, with a line for each set.

    Args:
        record: Record of the claim.
        path: Image file to write.
    """
    figure, rows = panels(2, 2)
    for axes, (quantity, title) in zip(rows.flat, _PANELS.items(), strict=True):
        for number, (name, rows_of_set) in enumerate(record['data'].items()):
            measured = [(row['steepness'], row[quantity]) for row in rows_of_set]
            points(axes, measured, color=f'C{number}', label=name)
        axes.set(xscale='log', ylim=(0, None))
        titled(axes, title, 'steepness k', '')
    rows[0][0].legend(fontsize=7)
    save(figure, path)
