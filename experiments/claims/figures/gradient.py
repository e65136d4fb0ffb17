"""Gradient against the teacher's probability."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from experiments.claims.figures.style import colour, draw_by_set, points, titled


def draw(record: dict, path: Path) -> None:
    """Draw a column a set: the gradient by decade of probability, and the part unlikely ones get.

    Args:
        record: Record of the claim.
        path: Image file to write.
    """
    data = {name: measured for name, measured in record['data'].items() if 'near' not in name}
    draw_by_set(data, path, _draw_set)


def _draw_set(upper: Axes, lower: Axes, name: str, measured: dict) -> None:
    terms = measured['terms']
    for term, gradients in terms.items():
        by_decade = [
            (10.0 ** -(exponent + 0.5), value)
            for exponent, value in enumerate(gradients['decades'])
            if value
        ]
        points(upper, by_decade, color=colour(term), label=term)
    upper.set(xscale='log', yscale='log')
    upper.invert_xaxis()
    titled(upper, name, "teacher's probability of the class", 'median |gradient|')
    shares = [terms[term]['share'] for term in terms]
    lower.barh(list(terms), shares, color=[colour(term) for term in terms])
    lower.axvline(1, color='black', lw=0.8, ls='--')
    lower.invert_yaxis()
    titled(
        lower,
        f'{name}: part of classes below 1e-3',
        'share of the gradient / share of the classes',
        '',
    )
