"""Gradients against the scale of the logits."""

from __future__ import annotations

from pathlib import Path

from experiments.claims.figures.style import colour, panels, points, save, titled


def draw(record: dict, path: Path) -> None:
    """Draw direction and length of the gradient, for either side, on the first set.

    Args:
        record: Record of the claim.
        path: Image file to write.
    """
    name, by_side = next(iter(record['data'].items()))
    figure, rows = panels(2, 2)
    for place, (side, quantity) in enumerate(
        (side, quantity) for side in ('student', 'teacher') for quantity in ('cosine', 'length')
    ):
        axes = rows.flat[place]
        for term, responses in by_side[side].items():
            responded = [(row['factor'], row[quantity]) for row in responses]
            points(axes, responded, color=colour(term), label=term)
        axes.set_xscale('log', base=2)
        if quantity == 'length':
            axes.set_yscale('log', base=2)
        labels = {'cosine': 'cosine with gradient at 1', 'length': '|gradient| over that at 1'}
        titled(axes, f'{name}: {side} scaled', f"factor on the {side}'s logits", labels[quantity])
    rows[0][0].legend(fontsize=7)
    save(figure, path)
