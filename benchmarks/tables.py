#!/usr/bin/env python
"""Write the tables of docs/reports/performance.md again, from the CSV files."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import limits, measured, steps
from benchmarks.report.blocks import fill
from benchmarks.script import RESULTS, ROOT

PAGE = ROOT / 'docs' / 'reports' / 'performance.md'


def makers(results: Path) -> dict[str, Callable[[], str]]:
    """Return what makes each block of the page, by its name."""
    op, scaling = 'op_cpu.csv', 'scaling_cpu.csv'
    evaluation, step = 'evaluation_cpu.csv', 'step_cpu.csv'
    return {
        'pair': limits.pair_table,
        'work': partial(limits.work_table, results),
        'bound': partial(limits.bound_table, results),
        'rates': partial(limits.rates, results),
        'op_origin': partial(measured.origin, results, op),
        'op': partial(measured.op_table, results, op),
        'op_left_out': partial(measured.left_out, results, op),
        'expect': partial(measured.expect_table, results, op),
        'range': partial(measured.range_table, results, scaling),
        'evaluation': partial(measured.evaluation_table, results, evaluation),
        'instructions': partial(limits.instruction_table, results, 'instructions_cpu.csv'),
        'step_origin': partial(measured.origin, results, step),
        'step': partial(steps.step_table, results, step),
        'step_parts': partial(steps.part_table, results, step),
        'pair_cost': partial(steps.pair_table, results, 'pair_cost_cpu.csv'),
        'all_anchors': partial(steps.anchors_table, results, 'all_anchors_cpu.csv'),
    }


def write(results: Path = RESULTS, page: Path = PAGE) -> Path:
    """Fill the page's blocks from a folder of results.

    Args:
        results: The CSV files.
        page: The page; it is overwritten.

    Returns:
        The page.
    """
    page.write_text(fill(page.read_text(encoding='utf-8'), makers(results)), encoding='utf-8')
    return page


if __name__ == '__main__':
    print(f'wrote {write()}')
