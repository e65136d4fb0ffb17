import time

import numpy as np
import pytest

from mmdet_kdrank.compare.average_precision import Matches, WeightedAveragePrecision
from mmdet_kdrank.compare.coco import matches_of
from tests.compare.fabricated import annotations, coco_evaluation, detections, repeated

SEEDS = range(4)


def weighted(evaluation, weights):
    return WeightedAveragePrecision(matches_of(evaluation))(np.asarray(weights))


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize('crowds', [False, True])
def test_weights_of_one_are_cocoeval(seed, crowds):
    content = annotations(seed=seed, crowds=crowds)
    evaluation = coco_evaluation(content, detections(content, seed))
    found = weighted(evaluation, np.ones((1, 12)))
    for key, value in zip(('mAP', 'AP50', 'AP75'), evaluation.stats, strict=False):
        assert found[key] == pytest.approx([value], abs=1e-12)
        assert 0 < value < 1


@pytest.mark.parametrize('seed', SEEDS)
def test_whole_weights_are_cocoeval_on_a_data_set_with_copies(seed):
    content = annotations(seed=seed)
    # Of equal scores in one image, COCOeval takes the copies in another order.
    table = detections(content, seed, ties=False)
    counts = np.random.default_rng(seed).multinomial(12, np.full(12, 1 / 12), size=5)
    found = weighted(coco_evaluation(content, table), counts)
    for row, count in enumerate(counts):
        assert (count == 0).any() and (count > 1).any()
        copies = coco_evaluation(*repeated(content, table, count))
        for key, value in zip(('mAP', 'AP50', 'AP75'), copies.stats, strict=False):
            assert found[key][row] == pytest.approx(value, abs=1e-12)


def test_common_factor_changes_nothing():
    content = annotations()
    evaluation = coco_evaluation(content, detections(content))
    one, three = (weighted(evaluation, np.full((1, 12), factor)) for factor in (1, 3))
    assert one['mAP'] == pytest.approx(three['mAP'], abs=1e-12)


def test_many_rows_are_each_row():
    content = annotations()
    evaluation = coco_evaluation(content, detections(content))
    weights = np.random.default_rng(0).integers(0, 3, (20, 12))
    together = weighted(evaluation, weights)['mAP']
    assert together == pytest.approx(
        [weighted(evaluation, row[None])['mAP'][0] for row in weights], abs=1e-14
    )


def test_without_objects_there_is_no_value_and_without_detections_it_is_zero():
    content = annotations()
    evaluation = coco_evaluation(content, detections(content))
    assert np.isnan(weighted(evaluation, np.zeros((1, 12)))['mAP'][0])
    found = matches_of(evaluation)
    nothing = Matches(
        found.image_ids,
        found.positives,
        *(getattr(found, name)[:0] for name in ('image', 'label', 'score')),
        found.true_positive[:0],
        found.ignored[:0],
    )
    assert WeightedAveragePrecision(nothing)(np.ones((1, 12)))['mAP'] == [0.0]


def test_thousand_resamples_take_seconds():
    rng = np.random.default_rng(0)
    right = (rng.random(10_000) < 0.1)[:, None] & (
        rng.random((10_000, 1)) > np.linspace(0, 0.9, 10)
    )
    matches = Matches(
        np.arange(200),
        rng.poisson(6 / 27, (200, 27)),
        rng.integers(0, 200, 10_000),
        rng.integers(0, 27, 10_000),
        rng.random(10_000),
        right,
        np.zeros_like(right),
    )
    started = time.process_time()
    WeightedAveragePrecision(matches)(rng.multinomial(200, np.full(200, 1 / 200), size=1000))
    # Ten runs are to take seconds; it is 1 s on a slow core.
    assert time.process_time() - started < 6
