import pytest
from torch import nn

from mmdet_kdrank.distillers.loss_entries import build_losses, weighted_entries
from tests.detectors import KD, RANK


def test_losses_are_built_in_order_under_their_names():
    losses = build_losses(dict(loss_b=RANK, loss_a=KD), 'distill_losses')
    assert {name: type(loss).__name__ for name, loss in losses.items()} == {
        'loss_b': 'KendallRankLoss',
        'loss_a': 'KnowledgeDistillationKLDivLoss',
    }
    assert list(losses) == ['loss_b', 'loss_a']


@pytest.mark.parametrize(
    ('name', 'loss', 'error', 'message'),
    [
        ('kd', KD, ValueError, 'distill_losses.kd: .* Rename it, say loss_kd'),
        ('loss_x', dict(type='NoSuchLoss'), KeyError, 'distill_losses.loss_x: .*NoSuchLoss'),
        ('loss_x', {**RANK, 'surrogate': 'step'}, ValueError, 'loss_x: .*step.*tanh'),
        ('loss_x', {**RANK, 'backend': 'abacus'}, ValueError, 'loss_x: .*abacus.*chunked'),
        (
            'loss_x',
            dict(type='Linear', in_features=1, out_features=1),
            ValueError,
            'loss_x: Linear has weights of its own',
        ),
    ],
)
def test_refused_entries(name, loss, error, message):
    with pytest.raises(error, match=message):
        build_losses({name: loss}, 'distill_losses')


def test_entries_called_with_weights_are_known_once_built():
    losses = build_losses(dict(loss_rank=RANK, loss_l1=dict(type=nn.L1Loss)), 'distill_losses')
    assert weighted_entries(losses) == {'loss_rank'}
    along_candidates = build_losses(dict(loss_c=dict(type='CandidateRankLoss')), 'distill_losses')
    assert weighted_entries(along_candidates) == set()
