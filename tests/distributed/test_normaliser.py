import pytest
import torch

from mmdet_kdrank.distributed import global_avg_factor
from tests.distributed.ranks import run_ranks


@pytest.mark.parametrize('total', [0, 0.3, 1, 7.5, torch.tensor(7.5)])
def test_alone_it_is_the_total_but_at_least_one(total):
    assert global_avg_factor(total, 'cpu') == max(float(total), 1)


def factor(rank, totals):
    return global_avg_factor(totals[rank], 'cpu')


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
