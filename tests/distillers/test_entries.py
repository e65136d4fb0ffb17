import math

import pytest
import torch
from torch import nn

from mmdet_kdrank.distillers.entries import (
    LabelledEntry,
    LossEntry,
    MeanEntry,
    SamplesEntry,
    build_entries,
    entry_type,
)
from mmdet_kdrank.losses import DKDLoss, KendallRankLoss
from mmdet_kdrank.structures.samples import DistillSamples
from tests.detectors import KD, RANK


class Plain(nn.Module):
    """KL as other projects write it: two tensors in, the mean over the rows out."""

    def __init__(self, reduction='batchmean'):
        super().__init__()
        self.reduction = reduction

    def forward(self, preds_S, preds_T):
        log_p, q = preds_S.log_softmax(1), preds_T.softmax(1)
        return nn.functional.kl_div(log_p, q, reduction=self.reduction)


def call(name, loss, student, teacher, weight, avg_factor, count=None):
    rows = DistillSamples(
        student=student,
        teacher=teacher,
        image=torch.zeros(len(student), dtype=torch.long),
        activation='softmax',
        background=True,
        num_classes=student.shape[1] - 1,
        weights=weight,
        avg_factor=avg_factor if count is None else count,
    )
    return entry_type(loss)(name, loss)(rows, rows, avg_factor)


def kl_rows(student, teacher):
    """Textbook KL of each row, a double loop in Python's floats."""
    rows = []
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        p, q = ([math.exp(x) / sum(map(math.exp, row)) for x in row] for row in (s, t))
        rows.append(sum(b * math.log(b / a) for a, b in zip(p, q, strict=True)))
    return rows


@pytest.fixture
def logits():
    return torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)


def test_without_weights_the_value_is_the_mean_over_the_rows(logits):
    value = call('loss_own', Plain(), *logits, torch.ones(4), 4.0)
    assert value.item() == pytest.approx(sum(kl_rows(*logits)) / 4, rel=1e-5)


@pytest.mark.parametrize(
    ('weight', 'avg_factor'),
    [([1, 1, 1, 0], 4.0), ([1, 1, 1, 0.5], 3.5), ([1, 1, 1, 1], 3.0), ([2, 2, 2, 2], 8.0)],
)
def test_without_weights_anything_but_a_mean_is_refused(logits, weight, avg_factor):
    with pytest.raises(ValueError, match=r'loss_own: Plain takes no weight.*TopkSamples.*subclass'):
        call('loss_own', Plain(), *logits, torch.tensor(weight), avg_factor)


def test_the_mean_of_a_rank_counts_by_its_share_of_all_rows(logits):
    alone = call('loss_own', Plain(), *logits, torch.ones(4), 4.0)
    # Four rows here and twelve on another rank: the mean over two ranks divides by 16.
    shared = call('loss_own', Plain(), *logits, torch.ones(4), 8.0, count=4.0)
    torch.testing.assert_close(shared, alone / 2)


@pytest.mark.parametrize('weight', [[1, 1, 1, 1], [2, 0, 1, 0.5]])
def test_with_weights_they_are_passed(logits, weight):
    weight = torch.tensor(weight, dtype=torch.float32)
    value = call('loss_rank', KendallRankLoss(), *logits, weight, 5.0)
    rows = KendallRankLoss(reduction='none')(*logits)
    assert torch.allclose(value, (weight * rows).sum() / 5)


def test_no_row_gives_zero_with_a_graph_without_asking_the_loss():
    pred = torch.randn(0, 3, requires_grad=True)
    assert Plain()(pred, torch.randn(0, 3)).isnan()
    value = call('loss_own', Plain(), pred, torch.randn(0, 3), torch.ones(0), 1.0)
    value.backward()
    assert value == 0
    assert pred.grad.shape == (0, 3)


def test_a_value_a_row_is_refused(logits):
    class Rows(nn.Module):
        def forward(self, preds_S, preds_T):
            return (preds_S - preds_T).square().sum(1)

    with pytest.raises(ValueError, match=r'loss_own: Rows .* a scalar, .* shape \(4,\)'):
        call('loss_own', Rows(), *logits, torch.ones(4), 4.0)


def with_forward(forward, **attributes):
    return type('Own', (nn.Module,), {'forward': forward, **attributes})()


@pytest.mark.parametrize(
    ('loss', 'expected'),
    [
        (KendallRankLoss(), LossEntry),
        (DKDLoss(), LabelledEntry),
        (with_forward(lambda self, a, b, weight=None, avg_factor=None: 0), LossEntry),
        (with_forward(lambda self, *args, **kwargs: 0), LossEntry),
        (Plain(), MeanEntry),
        (Plain(reduction='mean'), MeanEntry),
        (nn.L1Loss(), MeanEntry),
        (with_forward(lambda self, a, b, scale=1.0: 0), MeanEntry),
    ],
)
def test_the_signature_tells(loss, expected):
    assert entry_type(loss) is expected


@pytest.mark.parametrize(
    'loss',
    [
        with_forward(lambda self, preds_T: 0),
        with_forward(lambda self, preds_S, preds_T, gt_labels: 0),
        with_forward(lambda self, preds_S, preds_T, *, gt_labels: 0),
        with_forward(lambda self, a, b, weight=None: 0),
        with_forward(lambda self, a, b, avg_factor=None: 0),
        with_forward(lambda self, a, b, labels=None: 0, requires_labels=True),
        with_forward(lambda self, a, b, weight=None, avg_factor=None: 0, requires_labels=True),
    ],
)
def test_a_signature_that_fits_neither_call_is_refused(loss):
    with pytest.raises(TypeError, match=r'Own\.forward\(.*\) can be called neither as .*subclass'):
        entry_type(loss)


@pytest.mark.parametrize('reduction', ['sum', 'none'])
def test_without_weights_a_reduction_that_is_no_mean_is_refused(reduction):
    with pytest.raises(ValueError, match=f"Plain takes no weight.*reduction='{reduction}'"):
        entry_type(Plain(reduction))


def test_losses_are_built_in_order_under_their_names():
    entries = build_entries(dict(loss_b=RANK, loss_a=KD))
    assert {name: type(entry.loss).__name__ for name, entry in entries.items()} == {
        'loss_b': 'KendallRankLoss',
        'loss_a': 'KnowledgeDistillationKLDivLoss',
    }
    assert list(entries) == ['loss_b', 'loss_a']


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
        build_entries({name: loss})


def test_how_an_entry_is_called_is_known_once_built():
    configs = dict(
        loss_rank=RANK, loss_l1=dict(type=nn.L1Loss), loss_c=dict(type='CandidateRankLoss')
    )
    kinds = [type(entry) for entry in build_entries(configs).values()]
    assert kinds == [LossEntry, MeanEntry, SamplesEntry]


@pytest.mark.parametrize('value', [dict(KD, loss_weight='80'), dict(KD, T='1')])
def test_a_number_in_quotes_is_named_when_the_loss_is_built(value):
    name = 'T' if isinstance(value['T'], str) else 'loss_weight'
    with pytest.raises((ValueError, TypeError), match=f'loss_kd: {name}=.* is text') as caught:
        build_entries(dict(loss_kd=value))
    written = str(caught.value).split('write ')[1].split('.')[0]
    number = eval(f'dict({written})')
    assert build_entries(dict(loss_kd={**value, **number}))
