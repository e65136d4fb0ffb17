#!/usr/bin/env python
"""How fast is the op, and how much memory does it take, compared with its alternatives?"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.candidates import CANDIDATES
from benchmarks.harness.rows import Row
from benchmarks.limit.sizes import FORMS, SIZES
from benchmarks.measure import measure
from benchmarks.script import Script, Step, main

# On a CPU, candidates that hold all N C^2 pairs would take minutes at the large sizes. Rows are
# independent, so all candidates are compared on a slice of the rows with at most so many pairs.
# Candidates that hold no pairs also run on all rows, unless a call would take too long.
_CPU_PAIRS = 1 << 23
# With fewer rows, vectors and threads would have no work.
_LEAST_ROWS = 32
_MAX_CALL_S = 2.0
_QUICK_SIZES, _QUICK_PAIRS = ((40, 5),), 100


def _names(form: str) -> list[str]:
    # Compiling takes longer than all the rest; one form tells.
    return [
        name for name, candidate in CANDIDATES.items() if form == FORMS[0] or not candidate.compiles
    ]


def _compare(n: int, c: int, form: str, device: str, pairs: int) -> list[Row]:
    rows = n if device != 'cpu' else min(n, max(_LEAST_ROWS, pairs // c**2))
    measured = measure(_names(form), rows, c, form, device)
    if rows < n:
        seconds = {row['candidate']: row['median_s'] for row in measured if row.get('median_s')}
        fast = [name for name in seconds if not CANDIDATES[name].holds_pairs]
        all_rows = [name for name in fast if seconds[name] * n / rows < _MAX_CALL_S]
        if all_rows:
            measured += measure(all_rows, n, c, form, device, rounds=5)
    # If a slice was measured, rows is its length.
    return [{**row, 'n': n, 'rows': row['n']} for row in measured]


def _steps(device: str, quick: bool) -> list[Step]:
    sizes, pairs = (_QUICK_SIZES, _QUICK_PAIRS) if quick else (SIZES, _CPU_PAIRS)
    return [partial(_compare, n, c, form, device, pairs) for n, c in sizes for form in FORMS]


SCRIPT = Script('op', 'How fast is the op, and how much memory does it take?', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
