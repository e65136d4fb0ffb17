import json

import numpy as np
import pytest

from mmdet_kdrank.compare.experiment import SAMPLES
from mmdet_kdrank.compare.statistics import Statistics, adjust_for_number
from mmdet_kdrank.errors import StateError


@pytest.fixture
def statistics(finished):
    return Statistics(finished[1], resamples=200)


def test_summary_is_mean_and_deviation_over_seeds(statistics):
    values = [result['mAP'] for result in statistics.results('kd').values()]
    assert len(set(values)) == 3
    found = statistics.summary('kd')['mAP']
    assert (found['mean'], found['n']) == (pytest.approx(np.mean(values)), 3)
    assert found['sd'] == pytest.approx(np.std(values, ddof=1))
    assert 'peak_cuda_memory_mib' not in statistics.summary('kd')


def test_difference_is_of_runs_of_one_seed(statistics):
    pair = statistics.pair('kd', 'alone')
    assert pair['seeds'] == [0, 1, 2]
    for key, measure in pair['measures'].items():
        ours, theirs = (
            [result[key] for result in statistics.results(name).values()]
            for name in ('kd', 'alone')
        )
        assert measure['per_seed'] == pytest.approx(np.subtract(ours, theirs))
        assert measure['difference'] == pytest.approx(np.mean(measure['per_seed']))
    assert set(pair['measures']) == {'mAP', 'AP50', 'AP75', 'tau', 'top1', 'ECE'}


def test_better_boxes_are_found_better(statistics):
    quoted = statistics.pair('kd', 'alone')['measures']['mAP']['intervals']['quoted']
    assert quoted['low'] > 0 and quoted['p'] < 0.05
    turned = statistics.pair('alone', 'kd')['measures']['mAP']['intervals']['quoted']
    assert (turned['low'], turned['high']) == pytest.approx((-quoted['high'], -quoted['low']))


@pytest.mark.parametrize('key', ['mAP', 'AP50', 'tau', 'top1'])
def test_bootstrap_is_around_the_difference(statistics, key):
    resampled = {
        name: np.mean([statistics._resampled((name, seed))[key] for seed in range(3)], axis=0)
        for name in ('kd', 'alone')
    }
    low, high = np.quantile(resampled['kd'] - resampled['alone'], [0.025, 0.975])
    assert low < statistics.pair('kd', 'alone')['measures'][key]['difference'] < high


def test_only_seeds_that_both_have_are_paired(finished):
    plan, runs = finished
    missing = next(run for run in runs if (run.variant, run.seed) == ('kd', 1))
    missing.evaluation.clear()
    statistics = Statistics(runs, resamples=20)
    assert statistics.pair('kd', 'alone')['seeds'] == [0, 2]
    assert statistics.summary('alone')['mAP']['n'] == 3


def test_one_seed_has_no_interval_to_quote(finished):
    one = [run for run in finished[1] if run.seed == 0]
    measure = Statistics(one, resamples=20).pair('kd', 'alone')['measures']['mAP']
    assert set(measure) == {'difference', 'per_seed'}


def test_same_runs_give_the_same_figures(finished):
    one, other = (Statistics(finished[1], resamples=50).pair('kd', 'alone') for _ in range(2))
    assert one == other


def test_nothing_done_is_refused(finished):
    for run in finished[1]:
        run.evaluation.clear()
    with pytest.raises(StateError, match='nothing to report'):
        Statistics(finished[1])


def test_runs_on_other_images_are_refused(finished, finish):
    plan, runs = finished
    finish(runs[-1], noise=0.1, images=9)
    with pytest.raises(StateError, match='kd/seed2 was evaluated on other images'):
        Statistics(runs, resamples=20).pair('kd', 'alone')


def test_run_without_a_teacher_has_no_agreement_to_compare(finished):
    plan, runs = finished
    run = next(run for run in runs if run.variant == 'alone')
    path = run.training.folder / SAMPLES
    with np.load(path) as arrays:
        kept = {key: value for key, value in arrays.items() if not key.startswith('box_')}
    np.savez_compressed(path, **kept)
    result = run.result()
    del result['tau'], result['top1']
    (run.training.folder / 'result.json').write_text(json.dumps(result))
    measures = Statistics(runs, resamples=20).pair('kd', 'alone')['measures']
    assert set(measures) == {'mAP', 'AP50', 'AP75', 'ECE'}


def test_holms_adjustment_is_the_step_down_of_the_definition():
    def pair(p):
        return dict(measures=dict(mAP=dict(intervals=dict(quoted=dict(p=p)))))

    pairs = [pair(0.04), pair(0.01), pair(0.03)]
    adjust_for_number([*pairs, dict(measures={})])
    found = [each['measures']['mAP']['intervals']['quoted']['p_holm'] for each in pairs]
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1, and never falling.
    assert found == pytest.approx([0.06, 0.03, 0.06])
