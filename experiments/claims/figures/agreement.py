"""What descending the one loss does to the other."""

from __future__ import annotations

from pathlib import Path

from experiments.claims.figures.style import colour, panels, save, titled

_FROM_TEACHER = ', from the teacher'


def draw(record: dict, path: Path) -> None:
    """Draw a column a set: tau and KL along descents from the student and from the teacher.

    Args:
        record: Of the claim.
        path: Picture to write.
    """
    data = record['data']
    figure, rows = panels(2, len(data))
    for column, (name, found) in enumerate(data.items()):
        for label, trace in found['traces'].items():
            style = {'color': colour(label.removesuffix(_FROM_TEACHER)), 'label': label}
            style['ls'] = '--' if label.endswith(_FROM_TEACHER) else '-'
            steps = [step + 1 for step in trace['steps']]
            for axes, quantity in ((rows[0][column], 'tau'), (rows[1][column], 'divergence')):
                axes.plot(steps, trace[quantity], **style)
        for axes, what in (
            (rows[0][column], 'tau'),
            (rows[1][column], 'KL from the teacher, nats'),
        ):
            axes.set(xscale='log')
            titled(axes, name, 'steps of descent + 1', what)
        rows[1][column].set(yscale='log', ylim=(1e-6, None))
    rows[0][0].legend(fontsize=7)
    save(figure, path)
