#!/usr/bin/env python
"""How do time and memory grow with the rows, with the classes, and with the range of the logits?"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness.rows import Row
from benchmarks.measure import measure
from benchmarks.script import Script, Step, main

# N at C = 81, C at N = 256, and the logits' standard deviation at (1024, 81). Beyond some range,
# exponentials overflow and backends use another path.
_ROWS = (16, 64, 256, 1024, 4096, 16384, 65536)
_CLASSES = (3, 10, 30, 81, 200, 500, 1204, 2500)
_SCALES = (1.0, 3.0, 10.0, 30.0, 100.0)
# N C^2 up to which a call takes a second or so, and what holds all pairs has the memory.
_MAX_PAIRS = {
    'cpu': {
        'native': 1 << 31,
        'chunked': 1 << 28,
        'reference': 1 << 24,
        'plain autograd': 1 << 24,
    },
    'cuda': {
        'triton': 1 << 34,
        'chunked': 1 << 32,
        'reference': 1 << 32,
        'plain autograd': 1 << 32,
    },
}


def _point(axis: str, n: int, c: int, device: str, scale: float = 3.0) -> list[Row]:
    limits = _MAX_PAIRS['cpu' if device == 'cpu' else 'cuda']
    names = [name for name, limit in limits.items() if n * c**2 <= limit]
    rows = measure(names, n, c, 'kendall', device, scale, rounds=5, budget_s=4.0)
    return [{'axis': axis, 'scale': scale, **row} for row in rows]


def _steps(device: str, quick: bool) -> list[Step]:
    if quick:
        points = [('n', 4, 5), ('c', 4, 6)]
        scales = (3.0,)
    else:
        points = [*(('n', n, 81) for n in _ROWS), *(('c', 256, c) for c in _CLASSES)]
        scales = _SCALES
    n, c = (4, 5) if quick else (1024, 81)
    return [
        *(partial(_point, *point, device) for point in points),
        *(partial(_point, 'scale', n, c, device, scale) for scale in scales),
    ]


SCRIPT = Script('scaling', 'How do time and memory grow?', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
