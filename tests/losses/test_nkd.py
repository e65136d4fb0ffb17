"""NKDLoss: the suite, and its two terms alone."""

import math

import pytest
import torch

from mmdet_kdrank.losses import NKDLoss
from tests.losses.conformance import LossConformance, batch


class TestNKD(LossConformance):
    type = 'NKDLoss'
    gamma, temperature = 1.5, 1.0

    def rows(self, pred, soft_label, labels):
        rows = []
        for s, t, y in zip(pred, soft_label, labels.tolist(), strict=True):
            p_y, q_y = s[y].exp() / s.exp().sum(), t[y].exp() / t.exp().sum()
            others = [c for c in range(len(s)) if c != y]
            warm_s, warm_t = (s / self.temperature).exp(), (t / self.temperature).exp()
            sum_s, sum_t = (sum(x[c] for c in others) for x in (warm_s, warm_t))
            second = sum(warm_t[c] / sum_t * (warm_s[c] / sum_s).log() for c in others)
            rows.append(-q_y * p_y.log() - self.gamma * self.temperature**2 * second)
        return torch.stack(rows)


class TestWarm(TestNKD):
    arguments = {'gamma': 0.5, 'temperature': 3.0}
    gamma, temperature = 0.5, 3.0


def test_others_are_pulled_to_the_teachers_order_at_any_target():
    """The second term neither sees nor moves the target."""
    pred, soft_label, _, labels = batch()
    first, both = (NKDLoss(gamma, reduction='none') for gamma in (0.0, 1.0))
    moved = soft_label + 5 * torch.nn.functional.one_hot(labels, pred.shape[1])
    second, second_moved = (
        both(pred, x, labels=labels) - first(pred, x, labels=labels) for x in (soft_label, moved)
    )
    torch.testing.assert_close(second, second_moved)
    (grad,) = torch.autograd.grad(second.sum(), pred)
    assert grad.gather(1, labels[:, None]).abs().max() < 1e-12


def test_agreement_leaves_the_teachers_entropy():
    logits = torch.zeros(1, 5)
    loss = NKDLoss()(logits, logits, labels=torch.tensor([3]))
    assert loss.item() == pytest.approx(0.2 * math.log(5) + 1.5 * math.log(4))


def test_refuses_a_temperature():
    with pytest.raises(ValueError, match='temperature=0.0 must be a positive'):
        NKDLoss(temperature=0.0)
