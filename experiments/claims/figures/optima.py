"""Descents from random starts."""

from __future__ import annotations

from pathlib import Path

from experiments.claims.figures.style import draw_by_set, draw_descents


def draw(record: dict, path: Path) -> None:
    """Draw a column a set: tau and KL along the runs.

    Args:
        record: Record of the claim.
        path: Image file to write.
    """
    traces = {name: measured['terms'] for name, measured in record['data'].items()}
    draw_by_set(traces, path, draw_descents)
