#!/usr/bin/env python
"""For evaluation: how fast is the hard coefficient, compared with scipy's?"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from scipy.stats import kendalltau

from benchmarks.candidates import inputs
from benchmarks.harness import side_by_side
from benchmarks.harness.rows import Row
from benchmarks.limit.sizes import SIZES
from benchmarks.script import Script, Step, main
from mmdet_kdrank.ops import kendall_tau

# scipy takes rows one by one.
_ROWS = 256


def _calls(n: int, c: int, device: str) -> dict[str, Callable[[], object]]:
    student, teacher = (logits.detach() for logits in inputs(n, c, device))
    pairs = list(zip(student.cpu().numpy(), teacher.cpu().numpy(), strict=True))
    return {
        'scipy': lambda: torch.tensor([kendalltau(s, t).statistic for s, t in pairs]),
        "kendall_tau, 'sign'": partial(kendall_tau, student, teacher, surrogate='sign'),
    }


def _compare(rows: int, c: int, device: str) -> list[Row]:
    timings = side_by_side(_calls(rows, c, device), rounds=5, budget_s=4.0, device=device)
    return [
        {
            'rows': rows,
            'c': c,
            'candidate': name,
            **timing._asdict(),
            'speedup': timings['scipy'].median_s / timing.median_s,
        }
        for name, timing in timings.items()
    ]


def _steps(device: str, quick: bool) -> list[Step]:
    if quick:
        return [partial(_compare, 4, 5, device)]
    return [partial(_compare, _ROWS, c, device) for c in sorted({c for _, c in SIZES})]


SCRIPT = Script('evaluation', 'How fast is the hard coefficient, compared with scipy?', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
