"""BinaryKDLoss: the suite, and its minimum."""

import pytest
import torch

from mmdet_kdrank.losses import BinaryKDLoss
from tests.losses.conformance import LossConformance, batch


class TestBinaryKD(LossConformance):
    type = 'BinaryKDLoss'
    temperature = 1.0

    def rows(self, pred, soft_label, labels):
        """A coin for each class, and the expected surprise of one under the other."""
        rows = []
        for s, t in zip(pred / self.temperature, soft_label / self.temperature, strict=True):
            terms = []
            for a, b in zip(s, t, strict=True):
                p, q = 1 / (1 + (-a).exp()), 1 / (1 + (-b).exp())
                terms.append(-q * p.log() - (1 - q) * (1 - p).log())
            rows.append(self.temperature**2 * sum(terms))
        return torch.stack(rows)


class TestSoftened(TestBinaryKD):
    arguments = {'temperature': 2.0}
    temperature = 2.0


def test_gradient_is_the_difference_of_scores():
    pred, soft_label, _, _ = batch()
    (grad,) = torch.autograd.grad(BinaryKDLoss(reduction='sum')(pred, soft_label), pred)
    torch.testing.assert_close(grad, (pred.sigmoid() - soft_label.sigmoid()).detach())


def test_finite_where_scores_saturate():
    pred = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = BinaryKDLoss()(pred, -pred.detach())
    loss.backward()
    assert loss.item() == 400 and pred.grad.tolist() == [[1.0, -1.0]]


def test_refuses_a_temperature():
    with pytest.raises(ValueError, match='temperature=0 must be a positive'):
        BinaryKDLoss(temperature=0)
