#!/usr/bin/env python
"""How fast could the op be: the paper bound, for this CPU and for an H200."""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness.rows import Row
from benchmarks.limit import H200, Machine, calibrated_cpu, work
from benchmarks.limit.sizes import FORMS, SIZES
from benchmarks.script import Script, Step, main


def bound_row(n: int, c: int, form: str, name: str, machine: Machine) -> Row:
    """Return the work and the least time of each unit.

    Args:
        n: Rows.
        c: Classes.
        form: ``'kendall'`` or ``'cosine'``.
        name: Name of the machine.
        machine: The machine.

    Returns:
        Counts, seconds by unit, their maximum ``bound_s``, the unit behind it, what the bound would
        be if each ordered pair were evaluated, and the machine's rates.
    """
    todo = work(n, c, form)
    seconds = machine.seconds(todo)
    limit = max(seconds, key=seconds.__getitem__)
    ordered = machine.seconds(work(n, c, form, antisymmetry=False))
    return {
        'machine': name,
        'n': n,
        'c': c,
        'form': form,
        **todo._asdict(),
        **{f'{unit}_s': value for unit, value in seconds.items()},
        'bound_s': seconds[limit],
        'limited_by': limit,
        'ordered_s': max(ordered.values()),
        **{rate: float(value) for rate, value in vars(machine).items()},
    }


def _rows(name: str, machine: Machine) -> list[Row]:
    return [bound_row(n, c, form, name, machine) for n, c in SIZES for form in FORMS]


def _steps(device: str, quick: bool) -> list[Step]:
    datasheet = partial(_rows, 'NVIDIA H200, datasheet', H200)
    if device != 'cpu':
        return [datasheet]
    return [lambda: _rows('this CPU, calibrated', calibrated_cpu()), datasheet]


SCRIPT = Script('bound', 'How fast could the op be?', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
