#!/usr/bin/env python
"""How often do the intervals of tools/compare.py hold the true difference?"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.harness.rows import Row
from benchmarks.script import Script, Step, main
from mmdet_kdrank.compare.intervals import all_intervals, resample_images

KINDS = ('seeds', 'both', 'quoted')
# Standard deviations of what adds up to a difference on one image: seed, image, the two together.
SPREADS = {
    'seeds differ': (1.0, 1.0, 1.0),
    'images differ': (0.01, 14.0, 5.0),
    'both differ': (1.0, 14.0, 5.0),
    'neither alone': (0.0, 0.0, 14.0),
}


def simulate(
    spreads: tuple[float, float, float],
    seeds: int = 5,
    images: int = 200,
    trials: int = 2000,
    resamples: int = 400,
    truth: float = 0.7,
) -> dict[str, dict[str, np.ndarray]]:
    """Make intervals of differences whose true mean is known.

    A run's measure is a mean over images. Its difference on one image is the truth, plus what the
    seed, the image and the two together add: independent normal numbers.

    Args:
        spreads: Their standard deviations.
        seeds: Runs of each variant.
        images: Of the test set.
        trials: Experiments made up.
        resamples: Test sets that the bootstrap draws in each.
        truth: The true mean difference.

    Returns:
        For each kind of interval ``covers`` (whether it holds the truth, (trials,)), ``width``,
        and ``p`` of the same experiment with a truth of 0.
    """
    generator = np.random.default_rng(0)
    shapes = ((seeds, 1), (1, images), (seeds, images))
    by_kind = {kind: {'covers': [], 'width': [], 'p': []} for kind in KINDS}
    for trial in range(trials):
        cells = sum(
            spread * generator.standard_normal(shape)
            for spread, shape in zip(spreads, shapes, strict=True)
        )
        resampled = cells @ resample_images(images, resamples, trial).T / images
        null = all_intervals(cells.mean(1), resampled)
        moved = all_intervals(truth + cells.mean(1), truth + resampled)
        for kind in KINDS:
            low, high = moved[kind]['low'], moved[kind]['high']
            by_kind[kind]['covers'].append(low <= truth <= high)
            by_kind[kind]['width'].append(high - low)
            by_kind[kind]['p'].append(null[kind]['p'])
    return {
        kind: {key: np.array(values) for key, values in samples.items()}
        for kind, samples in by_kind.items()
    }


def _cover(name: str, seeds: int, trials: int) -> list[Row]:
    return [
        {
            'difference': name,
            'seeds': seeds,
            'interval': kind,
            'trials': trials,
            'coverage': samples['covers'].mean(),
            'mean_width': samples['width'].mean(),
            'p_below_0.05': (samples['p'] < 0.05).mean(),
            'p_below_0.0025': (samples['p'] < 0.0025).mean(),
        }
        for kind, samples in simulate(SPREADS[name], seeds, trials=trials).items()
    ]


def _steps(device: str, quick: bool) -> list[Step]:
    numbers, trials = ((3,), 5) if quick else ((2, 3, 5, 10), 2000)
    return [partial(_cover, name, seeds, trials) for seeds in numbers for name in SPREADS]


SCRIPT = Script(
    'interval_coverage',
    'How often do the intervals of tools/compare.py hold the true difference?',
    _steps,
)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
