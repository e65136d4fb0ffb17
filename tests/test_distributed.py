import pytest
import torch

from mmdet_kdrank.distributed import (
    OtherRankError,
    global_avg_factor,
    on_all_ranks,
    on_any_rank,
    reports_of_all_ranks,
)
from tests.distributed.ranks import run_ranks


def fail():
    raise KeyError('no such head')


def test_alone_an_action_just_runs():
    assert on_all_ranks(lambda: 3) == 3
    with pytest.raises(KeyError, match='no such head'):
        on_all_ranks(fail)
    assert reports_of_all_ranks('x') == 'x'
    assert reports_of_all_ranks(None) == ''


def act(rank, failing):
    return on_all_ranks(fail if rank in failing else lambda: rank)


def test_all_go_on_if_it_succeeded_everywhere():
    assert run_ranks(2, act, ()) == [0, 1]


def test_a_fault_on_one_rank_stops_all_with_its_message():
    first, second, third = run_ranks(3, act, (1,))
    assert isinstance(second, KeyError) and 'no such head' in str(second)
    for other in (first, third):
        assert isinstance(other, OtherRankError)
        assert str(other) == "[rank 1 of 3] KeyError: 'no such head'"


def test_each_raises_its_own_where_all_fail():
    assert [type(error) for error in run_ranks(2, act, (0, 1))] == [KeyError, KeyError]


def reports(rank):
    return reports_of_all_ranks([None, 'a', 'b', 'a'][rank])


def test_equal_reports_are_told_once():
    assert set(run_ranks(4, reports)) == {'[rank 1, 3 of 4] a [rank 2 of 4] b'}


@pytest.mark.parametrize('flag', [True, False])
def test_alone_a_flag_is_its_own(flag):
    assert on_any_rank(flag) is flag


def flags(rank, raised):
    return on_any_rank(rank in raised)


def test_a_flag_on_one_rank_is_seen_by_all():
    assert run_ranks(3, flags, (2,)) == [True] * 3
    assert run_ranks(2, flags, ()) == [False] * 2


@pytest.mark.parametrize('total', [0, 0.3, 1, 7.5, torch.tensor(7.5)])
def test_alone_it_is_the_total_but_at_least_one(total):
    assert global_avg_factor(total, 'cpu') == max(float(total), 1)


def factor(rank, totals):
    return float(global_avg_factor(totals[rank], 'cpu'))


@pytest.mark.parametrize(
    ('totals', 'expected'),
    [
        ([3.0, 5.0], 4.0),
        ([0.0, 7.0], 3.5),
        # One row in all is divided by 1 after the average, not by 2.
        ([1.0, 0.0], 0.5),
        ([0.0, 0.0], 0.5),
        ([0.25, 0.25], 0.5),
        ([torch.tensor(2.0, requires_grad=True), 1], 1.5),
    ],
)
def test_ranks_share_the_normaliser_of_the_global_batch(totals, expected):
    assert run_ranks(2, factor, totals) == [expected, expected]


def test_four_ranks():
    assert run_ranks(4, factor, [1.0, 0.0, 10.0, 0.0]) == [2.75] * 4
