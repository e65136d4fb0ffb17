"""Intervals of a mean paired difference over seeds and over images."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Where a mean difference lies, and how often chance alone would make as large a one.

    Args:
        low: Lower end of the 95 % interval.
        high: Upper end.
        p: Two-sided p-value of no difference.
    """

    low: float
    high: float
    p: float

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low


def resample_images(number: int, resamples: int, seed: int) -> np.ndarray:
    """Draw test sets of as many images, with replacement.

    Args:
        number: Of images, I.
        resamples: Of test sets, R.
        seed: Of the draws.

    Returns:
        How often each image was drawn, (R, I).
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(number, np.full(number, 1 / number), size=resamples)


def over_seeds(differences: np.ndarray) -> Interval:
    r"""Paired t interval: :math:`\bar d \pm t_{n-1} s_d / \sqrt n`, the images as they are.

    Args:
        differences: One a seed, (S,), two at least.
    """
    mean, variance = differences.mean(), differences.var(ddof=1) / len(differences)
    return _student(mean, variance, len(differences) - 1)


def over_images(resampled: np.ndarray) -> Interval:
    """Percentile interval of the paired bootstrap over images, given the runs.

    Args:
        resampled: Differences of the resampled test sets, (S, R): seeds, resamples.
    """
    return _percentile(resampled.mean(0))


def crossed(resampled: np.ndarray, seed: int) -> Interval:
    """Percentile interval of the paired bootstrap over seeds and images at once.

    It is too narrow where few seeds differ much: the spread of n values drawn again falls short
    by (n - 1) / n, and their percentiles have no tails.

    Args:
        resampled: Differences of the resampled test sets, (S, R).
        seed: Of the draws of seeds.
    """
    drawn = resample_images(len(resampled), resampled.shape[1], seed) / len(resampled)
    return _percentile((drawn.T * resampled).sum(0))


def over_both(differences: np.ndarray, resampled: np.ndarray) -> Interval:
    r"""t interval with the variance of the seeds and that of the images added.

    .. math:: \bar d \pm t_\nu \sqrt{v_s + v_i}, \quad v_s = s_d^2 / n, \quad
              \nu = \frac{(v_s + v_i)^2}{v_s^2 / (n - 1) + v_i^2 / (N - 1)}

    with :math:`v_i` the variance of the mean difference in the bootstrap over images and
    Satterthwaite's degrees of freedom; the second term of the denominator, for N images, is left
    out as 0. What belongs to one seed and one image alone is in both variances, which errs on the
    wide side.

    Args:
        differences: One a seed, (S,), two at least.
        resampled: Differences of the resampled test sets, (S, R).
    """
    count = len(differences)
    seeds = differences.var(ddof=1) / count
    images = resampled.mean(0).var(ddof=1)
    freedom = (count - 1) * ((seeds + images) / seeds) ** 2 if seeds > 0 else np.inf
    return _student(differences.mean(), seeds + images, freedom)


def all_intervals(differences: np.ndarray, resampled: np.ndarray, seed: int) -> dict:
    """Make all of them.

    Args:
        differences: One a seed, (S,).
        resampled: Differences of the resampled test sets, (S, R), finite.
        seed: Of the draws of seeds.

    Returns:
        ``images``; with two seeds or more also ``seeds``, ``crossed``, ``both`` and ``quoted``:
        the wider of ``seeds`` and ``both``, with the larger of their p-values. Each with ``low``,
        ``high`` and ``p``.
    """
    found = {'images': over_images(resampled)}
    if len(differences) > 1:
        found['seeds'] = over_seeds(differences)
        found['crossed'] = crossed(resampled, seed)
        found['both'] = over_both(differences, resampled)
        candidates = found['seeds'], found['both']
        # Far out, the tail of the wider one can be the thinner: it has more degrees of freedom.
        found['quoted'] = replace(
            max(candidates, key=lambda each: each.width), p=max(each.p for each in candidates)
        )
    return {name: asdict(interval) for name, interval in found.items()}


def _student(mean: float, variance: float, freedom: float) -> Interval:
    if variance == 0:
        # Equal differences: no chance was at work that could be told from them.
        return Interval(float(mean), float(mean), 1.0 if mean == 0 else 0.0)
    error = np.sqrt(variance)
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    p = 2 * stats.t.sf(abs(mean) / error, freedom)
    return Interval(float(mean - half), float(mean + half), float(p))


def _percentile(values: np.ndarray) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # One more on either side: a p of 0 cannot be told from any number of draws.
    tail = min((values <= 0).sum(), (values >= 0).sum()) + 1
    return Interval(float(low), float(high), float(min(1.0, 2 * tail / (len(values) + 1))))
