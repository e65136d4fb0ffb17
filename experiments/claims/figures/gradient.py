"""Gradient against the teacher's probability."""

from __future__ import annotations

from pathlib import Path

from experiments.claims.figures.style import colour, panels, save, titled


def draw(record: dict, path: Path) -> None:
    """Draw a column a set: the gradient by decade of probability, and the part unlikely ones get.

    Args:
        record: Of the claim.
        path: Picture to write.
    """
    data = {name: found for name, found in record['data'].items() if 'near' not in name}
    figure, rows = panels(2, len(data))
    for column, (name, found) in enumerate(data.items()):
        terms = found['terms']
        for term, measured in terms.items():
            points = [
                (10.0 ** -(exponent + 0.5), value)
                for exponent, value in enumerate(measured['decades'])
                if value
            ]
            rows[0][column].plot(
                *zip(*points, strict=True), 'o-', ms=3, color=colour(term), label=term
            )
        rows[0][column].set(xscale='log', yscale='log')
        rows[0][column].invert_xaxis()
        titled(rows[0][column], name, "teacher's probability of the class", 'median |gradient|')
        shares = [terms[term]['share'] for term in terms]
        rows[1][column].barh(list(terms), shares, color=[colour(term) for term in terms])
        rows[1][column].axvline(1, color='black', lw=0.8, ls='--')
        rows[1][column].invert_yaxis()
        titled(
            rows[1][column],
            f'{name}: part of classes below 1e-3',
            'share of the gradient / share of the classes',
            '',
        )
    rows[0][0].legend(fontsize=7)
    save(figure, path)
