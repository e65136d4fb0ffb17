"""The claim would be false if an entry more in distill_losses changed anything else."""

import torch

from experiments.claims.plug_and_play import claim, largest_gap
from tests.experiments.claims.sets import ROOT


def test_differences_are_seen():
    one = {'a': torch.zeros(2), 'b': [torch.ones(1), torch.ones(1)]}
    assert largest_gap(one, one) == 0
    assert largest_gap(one, {'a': torch.zeros(2), 'b': [torch.ones(1), 1 + torch.ones(1)]}) == 1
    assert largest_gap(one, {'a': torch.zeros(2)}) == float('inf')


def test_rank_changes_nothing_else():
    measured = claim(ROOT)
    assert measured.data['loss_kd'] > 0.01
    assert [check.value for check in measured.checks] == [0, 0, 0, 0]
