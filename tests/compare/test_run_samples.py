import json

import numpy as np
import pytest

from mmdet_kdrank.compare.coco import matches_of
from mmdet_kdrank.compare.experiment import SAMPLES
from mmdet_kdrank.compare.run_samples import (
    COMPARED,
    RunSamples,
    calibration_counts,
    calibration_error,
    expected_calibration_error,
)
from tests.compare.fabricated import annotations, coco_evaluation, detections


@pytest.fixture
def run(finished):
    return finished[1][0]


def test_weights_of_one_give_the_runs_own_measures(run):
    samples = RunSamples.load(run.training.folder / SAMPLES)
    found = samples(np.ones((1, 12), int))
    result = json.loads((run.training.folder / 'result.json').read_text())
    assert set(found) == set(COMPARED)
    for key in ('mAP', 'AP50', 'AP75', 'tau', 'top1'):
        assert found[key] == pytest.approx([result[key]], abs=1e-12), key


def test_boxes_count_as_often_as_their_image(run):
    path = run.training.folder / SAMPLES
    weights = np.random.default_rng(0).integers(0, 4, (3, 12))
    found = RunSamples.load(path)(weights)
    with np.load(path) as arrays:
        times = weights[:, np.searchsorted(arrays['match_image_ids'], arrays['box_image_id'])]
        for row in range(3):
            expected = np.average(arrays['box_tau'].astype(float), weights=times[row])
            assert found['tau'][row] == pytest.approx(expected)


def test_without_boxes_in_the_drawn_images_there_is_no_agreement(run):
    found = RunSamples.load(run.training.folder / SAMPLES)(np.zeros((1, 12), int))
    assert all(np.isnan(found[key][0]) for key in ('mAP', 'tau', 'top1', 'ECE'))


@pytest.fixture
def matches():
    content = annotations(crowds=True)
    return matches_of(coco_evaluation(content, detections(content, ties=False)))


def naive(matches, images):
    """The definition, detection by detection."""
    bins = {}
    for image, score, right, ignored in zip(
        matches.image,
        matches.score,
        matches.true_positive[:, 0],
        matches.ignored[:, 0],
        strict=True,
    ):
        if score >= 0.05 and not ignored:
            for _ in range(images[image]):
                bins.setdefault(min(int(score * 15), 14), []).append((score, right))
    total = sum(map(len, bins.values()))
    return sum(
        len(each) / total * abs(np.mean([s for s, _ in each]) - np.mean([r for _, r in each]))
        for each in bins.values()
    )


def test_error_is_the_definition(matches):
    assert 0 < calibration_error(matches) < 1
    assert matches.ignored.any()
    assert calibration_error(matches) == pytest.approx(naive(matches, np.ones(12, int)))


def test_counts_of_images_may_be_weighted(matches):
    weights = np.random.default_rng(0).integers(0, 3, (4, 12))
    found = expected_calibration_error(np.tensordot(weights, calibration_counts(matches), axes=1))
    assert found == pytest.approx([naive(matches, row) for row in weights])


def test_scores_that_are_the_share_of_right_ones_have_no_error():
    counts = np.zeros((15, 3))
    counts[7] = [10, 5.0, 5]
    counts[14] = [4, 4.0, 4]
    assert expected_calibration_error(counts) == 0


def test_without_detections_there_is_no_error():
    assert np.isnan(expected_calibration_error(np.zeros((15, 3))))
