"""Intervals of a mean paired difference: over seeds, and over seeds and images."""

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
        differences: One for each seed, (S,), two at least.
    """
    count = len(differences)
    return _student(differences.mean(), differences.var(ddof=1) / count, count - 1)


def over_both(differences: np.ndarray, resampled: np.ndarray) -> Interval:
    r"""t interval with the variance of the seeds and that of the images added.

    .. math:: \bar d \pm t_\nu \sqrt{v_s + v_i}, \quad v_s = s_d^2 / n, \quad
              \nu = \frac{(v_s + v_i)^2}{v_s^2 / (n - 1) + v_i^2 / (N - 1)}

    with :math:`v_i` the variance of the mean difference in the bootstrap over images and
    Satterthwaite's degrees of freedom. The second term of the denominator, for N images, is left
    out as 0. What one seed does on one image is in both variances, so that the interval is rather
    too wide.

    Args:
        differences: One for each seed, (S,), two at least.
        resampled: Differences of the resampled test sets, (S, R): seeds, resamples.
    """
    count = len(differences)
    seeds = differences.var(ddof=1) / count
    images = resampled.mean(0).var(ddof=1)
    freedom = (count - 1) * ((seeds + images) / seeds) ** 2 if seeds > 0 else np.inf
    return _student(differences.mean(), seeds + images, freedom)


def all_intervals(differences: np.ndarray, resampled: np.ndarray) -> dict[str, dict[str, float]]:
    """Make both intervals, and choose the one that tables quote.

    Args:
        differences: One for each seed, (S,), two at least.
        resampled: Differences of the resampled test sets, (S, R), finite.

    Returns:
        ``seeds``, ``both`` and ``quoted``, each with ``low``, ``high`` and ``p``. ``quoted`` is
        the wider of the other two, with the larger of their p-values.
    """
    seeds, both = over_seeds(differences), over_both(differences, resampled)
    wider = max(seeds, both, key=lambda interval: interval.width)
    # Far out, the tail of the wider one can be the thinner: it has more degrees of freedom.
    intervals = {'seeds': seeds, 'both': both, 'quoted': replace(wider, p=max(seeds.p, both.p))}
    return {name: asdict(interval) for name, interval in intervals.items()}


def _student(mean: float, variance: float, freedom: float) -> Interval:
    if variance == 0:
        # Equal differences: the data show no chance at work.
        return Interval(float(mean), float(mean), 1.0 if mean == 0 else 0.0)
    error = np.sqrt(variance)
    low, high = stats.t.interval(LEVEL, freedom, mean, error)
    return Interval(float(low), float(high), float(2 * stats.t.sf(abs(mean) / error, freedom)))
