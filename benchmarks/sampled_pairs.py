#!/usr/bin/env python
"""What do sampled pairs save, and what noise do they bring?"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.harness import side_by_side
from benchmarks.harness.rows import Row
from benchmarks.sampling import ESTIMATORS, KINDS, errors, make_logits, plot
from benchmarks.script import RESULTS, ROOT, Script, Step, main
from mmdet_kdrank.losses import KendallRankLoss

# (N, C, class_groups, repeats), of a few hundred classes, of LVIS and of an open vocabulary.
_CPU = (
    (1024, 300, (2, 4, 8, 16, 32), 60),
    (1024, 1204, (2, 4, 8, 16, 32, 64, 128), 60),
    (128, 10_000, (2, 4, 8, 16, 32, 64, 128, 256), 20),
)
# Rows are independent and a GPU fills only with many.
_CUDA = tuple((8 * n, c, counts, repeats) for n, c, counts, repeats in _CPU)
_QUICK = ((20, 24, (2, 5), 3),)
# Errors are relative, and need fewer rows than times do.
_ERROR_ROWS = 64
# Offsets, a loop in Python, are held to what takes seconds.
_MAX_OFFSET_PAIRS = 1 << 23


def measure(n: int, c: int, counts: tuple[int, ...], repeats: int, device: str) -> list[Row]:
    """Time and errors of all estimators at one size.

    Args:
        n: Rows of the timed calls.
        c: Classes.
        counts: Of groups: one pair in so many is taken.
        repeats: Calls that an error is the root mean square of.
        device: Where.

    Returns:
        A row for all pairs, and one for each estimator, count and kind of logits. Times are those
        of forward and backward, empty for ``offsets``; ``of_full`` is relative to all pairs.
    """
    timed = {('all pairs', 1): KendallRankLoss()}
    for name in ('groups', 'subset'):
        timed |= {(name, count): ESTIMATORS[name](count) for count in counts}
    logits = make_logits('alike', n, c, device)

    def call(key: tuple[str, int]) -> object:
        return torch.autograd.grad(timed[key](*logits), logits[0])

    timings = side_by_side({key: partial(call, key) for key in timed}, 7, 30.0, device)
    full_s = timings['all pairs', 1].median_s
    size = {'n': n, 'c': c, 'error_rows': _ERROR_ROWS}
    times = {
        key: {**timing._asdict(), 'of_full': timing.median_s / full_s}
        for key, timing in timings.items()
    }
    rows: list[Row] = [{**size, 'estimator': 'all pairs', 'groups': 1, **times['all pairs', 1]}]
    for kind in KINDS:
        sample = make_logits(kind, _ERROR_ROWS, c, device)
        for name, make in ESTIMATORS.items():
            for count in counts:
                if name == 'offsets' and _ERROR_ROWS * c**2 // count > _MAX_OFFSET_PAIRS:
                    continue
                deviations = errors(make(count), *sample, repeats)
                rows.append(
                    {
                        **size,
                        'estimator': name,
                        'groups': count,
                        'kind': kind,
                        **deviations,
                        **times.get((name, count), {}),
                    }
                )
    return rows


def draw(out: Path) -> list[Path]:
    """Draw each table in a folder; plots of the published results go into the docs."""
    plots = []
    for table in sorted(out.glob('sampled_pairs_*.csv')):
        folder = ROOT / 'docs' / 'reports' / 'images' if out == RESULTS else out
        plots.append(folder / f'{table.stem}.png')
        plot(table, plots[-1])
    return plots


def _steps(device: str, quick: bool) -> list[Step]:
    sizes = _QUICK if quick else _CPU if device == 'cpu' else _CUDA
    return [partial(measure, *size, device) for size in sizes]


SCRIPT = Script('sampled_pairs', __doc__ or '', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT], then=draw))
