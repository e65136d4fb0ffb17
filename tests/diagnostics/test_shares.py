from dataclasses import replace

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from mmdet_kdrank.diagnostics.shares import loss_shares, row_groups
from mmdet_kdrank.distillers import DistillSamples
from mmdet_kdrank.distillers.entries import entry_type

KL = dict(type='KnowledgeDistillationKLDivLoss', T=1, loss_weight=2.0)


def entry(loss):
    return entry_type(loss)('loss', loss)


@pytest.fixture
def chosen():
    """Six rows of three classes and a background; the last two are of no group."""
    student, teacher = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    return DistillSamples(
        student=student,
        teacher=teacher,
        image=torch.zeros(6, dtype=torch.long),
        activation='softmax',
        background=True,
        num_classes=3,
        labels=torch.tensor([0, 2, 3, 3, -1, -1]),
        weights=torch.tensor([1.0, 0.5, 1.0, 2.0, 0.0, 0.0]),
        avg_factor=6.0,
        level=torch.tensor([0, 2, 0, 2, 2, 2]),
    )


def test_rows_are_grouped_by_assignment_and_level(chosen):
    groups = {name: mask.nonzero().flatten().tolist() for name, mask in row_groups(chosen).items()}
    assert groups == dict(
        foreground=[0, 1], background=[2, 3], level0=[0, 2], level1=[], level2=[1, 3, 4, 5]
    )
    assert row_groups(replace(chosen, labels=None, level=None)) == {}


@pytest.mark.parametrize(
    'config', [KL, dict(type='KendallRankLoss'), dict(type='DISTLoss'), dict(type='DKDLoss')]
)
def test_shares_of_a_partition_add_up(chosen, config):
    loss = MODELS.build(config)
    groups = row_groups(chosen)
    every = torch.ones(6, dtype=torch.bool)
    shares = loss_shares(entry(loss), chosen, 5.0, {**groups, 'all': every})
    assert shares['foreground'] > 0 and shares['level1'] == 0
    for parts in (('foreground', 'background'), ('level0', 'level1', 'level2')):
        torch.testing.assert_close(sum(shares[part] for part in parts), shares['all'])


def test_a_share_is_the_weighted_sum_of_its_rows(chosen):
    shares = loss_shares(entry(MODELS.build(KL)), chosen, 5.0, row_groups(chosen))
    p, q = chosen.student.softmax(1), chosen.teacher.softmax(1)
    rows = 2 * (q * (q / p).log()).mean(1)
    torch.testing.assert_close(shares['foreground'], (rows[0] + 0.5 * rows[1]) / 5)


class MeanSquares(nn.Module):
    def forward(self, pred, soft_label):
        return (pred - soft_label).square().mean()


def test_a_loss_without_weights_gets_the_rows_alone(chosen):
    chosen = replace(chosen, weights=torch.ones(6), avg_factor=6.0)
    shares = loss_shares(entry(MeanSquares()), chosen, 6.0, row_groups(chosen))
    squares = (chosen.student - chosen.teacher).square().mean(1)
    torch.testing.assert_close(shares['background'], squares[2:4].sum() / 6)
    assert shares['level1'] == 0
