"""DKDLoss: the suite, and the paper's decomposition of KL."""

import pytest
import torch
from torch import Tensor

from mmdet_kdrank.losses import DKDLoss
from tests.losses.conformance import LossConformance, batch


def probabilities(logits: Tensor) -> list[Tensor]:
    total = sum(x.exp() for x in logits)
    return [x.exp() / total for x in logits]


def kl(teacher: list[Tensor], student: list[Tensor]) -> Tensor:
    return sum(q * (q / p).log() for q, p in zip(teacher, student, strict=True))


class TestDKD(LossConformance):
    type = 'DKDLoss'
    alpha, beta, temperature = 1.0, 0.25, 1.0

    def rows(self, pred, soft_label, labels):
        rows = []
        for s, t, label in zip(pred, soft_label, labels.tolist(), strict=True):
            p, q = probabilities(s / self.temperature), probabilities(t / self.temperature)
            (target_p, *_), (target_q, *_) = p[label:], q[label:]
            others_p = [x / (1 - target_p) for i, x in enumerate(p) if i != label]
            others_q = [x / (1 - target_q) for i, x in enumerate(q) if i != label]
            tckd = kl([target_q, 1 - target_q], [target_p, 1 - target_p])
            nckd = kl(others_q, others_p)
            rows.append(self.temperature**2 * (self.alpha * tckd + self.beta * nckd))
        return torch.stack(rows)


class TestClassification(TestDKD):
    """The values that are usual for CIFAR-100."""

    arguments = {'alpha': 1.0, 'beta': 8.0, 'temperature': 4.0}
    alpha, beta, temperature = 1.0, 8.0, 4.0


def test_kl_is_tckd_and_the_doubt_times_nckd():
    pred, soft_label, _, labels = batch()
    tckd, nckd = (
        DKDLoss(alpha, beta, reduction='none')(pred, soft_label, labels=labels)
        for alpha, beta in ((1, 0), (0, 1))
    )
    log_p, log_q = pred.log_softmax(1), soft_label.log_softmax(1)
    doubt = 1 - log_q.exp().gather(1, labels[:, None]).squeeze(1)
    torch.testing.assert_close(tckd + doubt * nckd, (log_q.exp() * (log_q - log_p)).sum(1))


def test_a_sure_teacher_still_orders_the_others():
    """Plain KL has no gradient left there, nor has a formula that takes 1 - p in float32."""
    teacher = torch.tensor([[60.0, 2.0, 0.0]])
    student = torch.tensor([[60.0, 0.0, 2.0]], requires_grad=True)
    DKDLoss()(student, teacher, labels=torch.tensor([0])).backward()
    assert student.grad[0, 1] < -0.1 and student.grad[0, 2] > 0.1


def test_two_classes_have_no_others():
    pred, soft_label, _, _ = batch()
    labels = torch.zeros(len(pred), dtype=torch.long)
    loss = DKDLoss(alpha=0.0, beta=1.0, reduction='none')
    assert loss(pred[:, :2], soft_label[:, :2], labels=labels).abs().max() < 1e-12


def test_refuses_a_temperature():
    with pytest.raises(ValueError, match='temperature=-1 must be a positive'):
        DKDLoss(temperature=-1)
