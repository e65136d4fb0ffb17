"""QualityFocalKDLoss: the suite, and where it is still."""

import pytest
import torch
from mmdet.models.losses.gfocal_loss import quality_focal_loss_tensor_target

from mmdet_kdrank.losses import QualityFocalKDLoss
from tests.losses.conformance import LossConformance, batch


class TestQualityFocalKD(LossConformance):
    type = 'QualityFocalKDLoss'
    beta = 1.0

    def rows(self, pred, soft_label, labels):
        rows = []
        for s, t in zip(pred, soft_label, strict=True):
            total = 0.0
            for a, b in zip(s, t, strict=True):
                p, q = 1 / (1 + (-a).exp()), 1 / (1 + (-b).exp())
                gap = p - q if p > q else q - p
                total = total - gap**self.beta * (q * p.log() + (1 - q) * (1 - p).log())
            rows.append(total)
        return torch.stack(rows)


class TestSquared(TestQualityFocalKD):
    arguments = {'beta': 2.0}
    beta = 2.0


def test_is_the_quality_focal_loss_on_the_teachers_scores():
    pred, soft_label, _, _ = batch()
    reference_loss = quality_focal_loss_tensor_target(
        pred, soft_label.sigmoid(), beta=2.0, reduction='none'
    )
    own_loss = QualityFocalKDLoss(beta=2.0, reduction='none')(pred, soft_label)
    torch.testing.assert_close(own_loss, reference_loss)


@pytest.mark.parametrize('beta', [1.0, 2.0])
def test_gradient_is_finite_where_both_agree(beta):
    logits = torch.tensor([[0.0, 3.0, -90.0, 90.0]], requires_grad=True)
    loss = QualityFocalKDLoss(beta=beta)(logits, logits.detach())
    loss.backward()
    assert loss.item() == 0 and logits.grad.isfinite().all()


def test_refuses_a_pole():
    with pytest.raises(ValueError, match='beta=0.5 must be at least 1; for 0, use Binary'):
        QualityFocalKDLoss(beta=0.5)
