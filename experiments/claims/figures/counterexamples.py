"""Isolated classes and misordered pairs."""

from __future__ import annotations

from pathlib import Path

from experiments.claims.figures.style import colour, panels, save, titled

_TITLES = {
    'isolated': 'one class alone, a gap below the rest',
    'misordered': 'one pair in the wrong order, by a gap',
}


def draw(record: dict, path: Path) -> None:
    """Draw the gradient against the gap for KL and each ranking loss.

    Args:
        record: Record of the claim.
        path: Image file to write.
    """
    data = record['data']
    figure, rows = panels(1, len(_TITLES), width=5.6, height=4)
    for axes, (case, title) in zip(rows[0], _TITLES.items(), strict=True):
        for term, values in data['sweeps'][case].items():
            style = {'lw': 2.4, 'color': 'black'} if term == 'KL' else {'color': colour(term)}
            axes.plot(data['gaps'], values, label=term, **style)
        axes.set(yscale='log', ylim=(1e-12, 3))
        titled(axes, title, 'gap of the logits', '|gradient|')
    rows[0][1].legend(fontsize=7)
    save(figure, path)
