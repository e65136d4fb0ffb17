"""The script from its command line to CSV and picture; figures of quick sizes mean nothing."""

import pytest

from benchmarks import sampled_pairs
from benchmarks.harness import read_rows
from benchmarks.sampling import ESTIMATORS, KINDS, errors, make_logits
from benchmarks.script import main
from mmdet_kdrank.losses import KendallRankLoss


def test_quick_from_end_to_end(tmp_path):
    arguments = ['--quick', '--out', str(tmp_path)]
    assert main([sampled_pairs.SCRIPT], arguments, then=sampled_pairs.draw) == 0
    first, *rows = read_rows(tmp_path / 'sampled_pairs_cpu.csv')
    assert (first['estimator'], first['of_full']) == ('all pairs', '1')
    assert {(row['estimator'], row['kind']) for row in rows} == {
        (name, kind) for name in ESTIMATORS for kind in KINDS
    }
    for row in rows:
        assert all(float(row[name]) > 0 for name in ('loss_sd', 'grad_sd', 'summed_grad_sd'))
        assert bool(row['median_s']) == (row['estimator'] != 'offsets')
    assert (tmp_path / 'sampled_pairs_cpu.png').stat().st_size > 10_000


def test_all_pairs_have_no_error():
    student, teacher = make_logits('alike', 6, 9, 'cpu')
    assert set(errors(KendallRankLoss(), student, teacher, 2).values()) == {0.0}


@pytest.mark.parametrize('kind', KINDS)
def test_groups_beat_a_subset_and_equal_offsets(kind):
    """Of as many pairs; with one row, so that sharing a draw among rows plays no part."""
    student, teacher = make_logits(kind, 1, 61, 'cpu')
    grad_sd = {
        name: errors(make(4), student, teacher, 300)['grad_sd'] for name, make in ESTIMATORS.items()
    }
    assert 1.5 * grad_sd['groups'] < grad_sd['subset']
    assert grad_sd['groups'] == pytest.approx(grad_sd['offsets'], rel=0.15)
