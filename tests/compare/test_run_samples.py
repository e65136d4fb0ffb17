import json

import numpy as np
import pytest

from mmdet_kdrank.compare.experiment import SAMPLES
from mmdet_kdrank.compare.run_samples import COMPARED, RunSamples


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
