"""What descending the one loss does to the other."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from experiments.claims.figures.style import draw_by_set, draw_descents


def draw(record: dict, path: Path) -> None:
    """Draw a column a set: tau and KL along descents from the student and from the teacher.

    Args:
        record: Record of the claim.
        path: Image file to write.
    """
    draw_by_set(record['data'], path, _draw_set)


def _draw_set(upper: Axes, lower: Axes, name: str, measured: dict) -> None:
    draw_descents(upper, lower, name, measured['traces'])
    lower.set(ylim=(1e-6, None))
