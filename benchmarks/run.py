#!/usr/bin/env python
"""All benchmarks of one device, then plots and tables: what `make bench` calls."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import bound, evaluation, instructions, op, plots, scaling, step, tables
from benchmarks.script import RESULTS, Script, main

SCRIPTS: tuple[Script, ...] = (
    bound.SCRIPT,
    instructions.SCRIPT,
    op.SCRIPT,
    evaluation.SCRIPT,
    scaling.SCRIPT,
    step.SCRIPT,
)


def report(results: Path) -> list[Path]:
    """Draws the plots and, from results that are kept, writes the page's tables.

    Args:
        results: Folder of the CSV files.

    Returns:
        What was written.
    """
    if results != RESULTS:
        return plots.draw_all(results, results)
    return [*plots.draw_all(results, plots.IMAGES), tables.write()]


if __name__ == '__main__':
    sys.exit(main(SCRIPTS, then=report))
