"""Descents from random starts."""

from __future__ import annotations

from pathlib import Path

from experiments.claims.figures.style import colour, panels, save, titled


def draw(record: dict, path: Path) -> None:
    """Draw a column a set: tau and KL along the runs.

    Args:
        record: Of the claim.
        path: Picture to write.
    """
    data = record['data']
    figure, rows = panels(2, len(data))
    for column, (name, found) in enumerate(data.items()):
        for axes, quantity, what in (
            (rows[0][column], 'tau', 'tau'),
            (rows[1][column], 'divergence', 'KL from the teacher, nats'),
        ):
            for term, trace in found['terms'].items():
                steps = [step + 1 for step in trace['steps']]
                axes.plot(steps, trace[quantity], color=colour(term), label=term)
            axes.set(xscale='log')
            titled(axes, name, 'steps of descent + 1', what)
        rows[1][column].set(yscale='log')
    rows[0][0].legend(fontsize=7)
    save(figure, path)
