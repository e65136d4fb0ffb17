"""What unlikely classes get from rank beside KL, and learn from it."""

from __future__ import annotations

from pathlib import Path

from experiments.claims.figures.style import colour, panels, save, titled


def draw(record: dict, path: Path) -> None:
    """Draw a column a set: the part by weight, and tau among unlikely classes after descent.

    Args:
        record: Of the claim.
        path: Picture to write.
    """
    data = record['data']
    figure, rows = panels(2, len(data))
    for column, (name, found) in enumerate(data.items()):
        upper, lower = rows[0][column], rows[1][column]
        upper.plot(*zip(*found['share by weight'], strict=True), 'o-', ms=3, color='black')
        upper.axhline(found['share alone'], color=colour('T = 1'), ls='--', label='without rank')
        upper.axhline(1, color='grey', lw=0.8, ls=':', label='fair')
        upper.set(xscale='log', ylim=(0, 1.3))
        titled(upper, name, 'weight of rank', 'gradient per unlikely class')
        learnt = found['tau of unlikely classes']
        colours = ['grey' if term == 'start' else colour(term) for term in learnt]
        lower.bar(list(learnt), list(learnt.values()), color=colours)
        titled(lower, f'{name}: after descent', '', 'tau among unlikely classes')
    rows[0][0].legend(fontsize=7)
    save(figure, path)
