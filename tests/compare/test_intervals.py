from functools import cache, partial

import numpy as np
import pytest
from scipy import stats

from benchmarks.interval_coverage import simulate
from mmdet_kdrank.compare.intervals import (
    all_intervals,
    over_both,
    over_seeds,
    resample_images,
)

SEEDS, IMAGES, BOTH = (1, 0.1, 0.1), (0.01, 5, 1), (0.5, 4, 2)
simulate = cache(partial(simulate, images=60, trials=300))


def coverage(spreads, kind):
    return simulate(spreads)[kind]['covers'].mean()


@pytest.mark.parametrize('spreads', [SEEDS, IMAGES, BOTH])
def test_quoted_interval_covers_whatever_the_difference_comes_from(spreads):
    # Of 300 trials, a coverage of 0.95 is found between 0.92 and 0.98.
    assert 0.92 <= coverage(spreads, 'quoted') <= 0.985


def test_interval_over_seeds_covers_where_seeds_differ_and_not_where_images_do():
    assert coverage(SEEDS, 'seeds') > 0.92
    assert coverage(IMAGES, 'seeds') < 0.6


def test_quoted_p_value_is_not_below_that_of_the_seeds():
    # Nearly equal differences of two seeds: the spread over images then has nearly all freedom.
    differences = np.array([3.0, 3.02])
    resampled = differences[:, None] + 0.6 * np.random.default_rng(4).standard_normal((1, 500))
    found = all_intervals(differences, resampled)
    assert found['quoted']['p'] == found['seeds']['p'] > 100 * found['both']['p']
    assert found['quoted']['low'] == found['both']['low']


@pytest.mark.parametrize('kind, spreads', [('seeds', SEEDS), ('quoted', IMAGES), ('both', BOTH)])
def test_p_values_are_uniform_where_nothing_differs(kind, spreads):
    p_values = simulate(spreads)[kind]['p']
    assert stats.kstest(p_values, 'uniform').pvalue > 0.01
    assert 0.02 < np.mean(p_values < 0.05) < 0.09


def test_over_seeds_is_scipys_paired_test():
    ours, theirs = np.random.default_rng(1).random((2, 6))
    found = over_seeds(ours - theirs)
    test = stats.ttest_rel(ours, theirs)
    assert found.p == pytest.approx(test.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval(0.95)))


def test_over_both_is_wider_than_either_variance_alone_and_falls_back_to_seeds():
    rng = np.random.default_rng(2)
    differences = rng.random(5)
    still = np.repeat(differences[:, None], 100, axis=1)
    assert over_both(differences, still).width == pytest.approx(over_seeds(differences).width)
    moving = still + rng.standard_normal(100)
    assert over_both(differences, moving).width > over_seeds(differences).width
    images = np.quantile(moving.mean(0), [0.025, 0.975])
    assert over_both(differences, moving).width > images[1] - images[0]


def test_quoted_is_the_wider_one():
    rng = np.random.default_rng(3)
    for spread in (0.01, 0.2, 5.0):
        differences = rng.standard_normal(4)
        resampled = differences[:, None] + spread * rng.standard_normal((4, 500))
        found = all_intervals(differences, resampled)
        widths = {kind: found[kind]['high'] - found[kind]['low'] for kind in found}
        assert widths['quoted'] == max(widths['seeds'], widths['both'])


def test_equal_runs_are_not_told_apart():
    found = all_intervals(np.zeros(3), np.zeros((3, 50)))
    for kind in ('seeds', 'both', 'quoted'):
        assert found[kind] == {'low': 0.0, 'high': 0.0, 'p': 1.0}


def test_draws_follow_their_seed_and_keep_the_size():
    drawn = resample_images(7, 20, seed=1)
    assert (drawn.sum(1) == 7).all()
    assert (drawn == resample_images(7, 20, seed=1)).all()
    assert (drawn != resample_images(7, 20, seed=2)).any()
