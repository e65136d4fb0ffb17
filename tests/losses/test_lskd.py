"""LSKDLoss: the suite around KL, around a loss with labels, and around every other loss."""

import pytest
import torch
from mmdet.registry import MODELS

from mmdet_kdrank.losses import LSKDLoss
from tests.losses.conformance import LossConformance, batch

KL = {'type': 'KnowledgeDistillationKLDivLoss', 'T': 2, 'loss_weight': 7.0}
INSIDE = ['BinaryKDLoss', 'DISTLoss', 'DKDLoss', 'KendallRankLoss', 'LogitMSELoss', 'NKDLoss']


def scores(row):
    """The paper's Z-score of one row, with the variance kept above 0."""
    mean = sum(row) / len(row)
    variance = sum((x - mean) ** 2 for x in row) / len(row)
    return [(x - mean) / (variance + 1e-3).sqrt() for x in row]


class TestAroundKL(LossConformance):
    """KL over MMDetection's mean, undone by its weight: the textbook's."""

    type = 'LSKDLoss'
    arguments = {'loss': KL}

    def rows(self, pred, soft_label, labels):
        rows = []
        for s, t in zip(pred, soft_label, strict=True):
            p, q = ([(z / 2).exp() for z in scores(row)] for row in (s, t))
            p, q = [x / sum(p) for x in p], [x / sum(q) for x in q]
            rows.append(2**2 * sum(b * (b / a).log() for a, b in zip(p, q, strict=True)))
        return torch.stack(rows)


class TestAroundLabels(LossConformance):
    """DKD with the target alone: two probabilities a row."""

    type = 'LSKDLoss'
    arguments = {'loss': {'type': 'DKDLoss', 'beta': 0.0}}

    def rows(self, pred, soft_label, labels):
        rows = []
        for s, t, y in zip(pred, soft_label, labels.tolist(), strict=True):
            p, q = ([z.exp() for z in scores(row)] for row in (s, t))
            p, q = p[y] / sum(p), q[y] / sum(q)
            rows.append(q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log())
        return torch.stack(rows)


@pytest.mark.parametrize('name', INSIDE)
def test_shift_and_scale_of_a_row_do_not_matter(name):
    pred, soft_label, _, labels = batch()
    loss = LSKDLoss({'type': name}, eps=1e-12, reduction='none')
    extra = {'labels': labels} if loss.requires_labels else {}
    plain = loss(pred, soft_label, **extra)
    torch.testing.assert_close(loss(3 * pred - 5, 0.2 * soft_label + 1, **extra), plain)
    bare = MODELS.build({'type': name, 'reduction': 'none'})
    assert not torch.allclose(bare(pred, soft_label, **extra), plain)


def test_gentle_with_fresh_heads():
    """Logits that spread by 1e-4 are not noise blown up to unit variance."""
    pred, soft_label, _, _ = batch()
    fresh = (1e-4 * pred.detach()).requires_grad_()
    (grad,) = torch.autograd.grad(LSKDLoss(KL, reduction='sum')(fresh, soft_label), fresh)
    assert 0 < grad.abs().max() <= 32 * 2


def test_the_reduction_inside_does_not_count():
    pred, soft_label, weight, _ = batch()
    losses = [LSKDLoss({**KL, 'reduction': name}) for name in ('mean', 'sum')]
    assert len({loss(pred, soft_label, weight=weight).item() for loss in losses}) == 1


def test_refuses():
    with pytest.raises(ValueError, match='eps=0 must be a positive'):
        LSKDLoss(KL, eps=0)
    with pytest.raises(KeyError, match='NoSuchLoss is not in the mmdet::model registry'):
        LSKDLoss({'type': 'NoSuchLoss'})
    with pytest.raises(TypeError, match="Linear.forward.* cannot .* reduction_override='none'"):
        LSKDLoss({'type': 'Linear', 'in_features': 1, 'out_features': 1})


def test_a_loss_that_keeps_the_classes_is_refused():
    pred, soft_label, _, _ = batch()
    with pytest.raises(
        ValueError, match=r"L1Loss with .*'none' returned .* \(6, 7\), not one value"
    ):
        LSKDLoss({'type': 'L1Loss'})(pred, soft_label)
