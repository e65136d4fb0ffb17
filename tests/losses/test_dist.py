"""DISTLoss: the suite, and what rows and weights do."""

import pytest
import torch

from mmdet_kdrank.losses import DISTLoss
from tests.losses.conformance import CLASSES, ROWS, LossConformance, batch


class TestDIST(LossConformance):
    type = 'DISTLoss'
    beta, gamma, temperature = 1.0, 1.0, 1.0
    # The correlation of almost equal scores is anything.
    conditioned = False

    def scores(self, logits):
        return logits.exp() / logits.exp().sum(1, keepdim=True)

    def rows(self, pred, soft_label, labels):
        p, q = (self.scores(x / self.temperature) for x in (pred, soft_label))

        def distance(a, b):
            return 1 - torch.corrcoef(torch.stack([a, b]))[0, 1]

        intra = sum(distance(p[:, c], q[:, c]) for c in range(CLASSES)) / CLASSES
        inter = torch.stack([distance(p[n], q[n]) for n in range(ROWS)])
        return self.temperature**2 * (self.beta * inter + self.gamma * intra)


class TestWarm(TestDIST):
    arguments = {'beta': 2.0, 'gamma': 0.5, 'temperature': 3.0}
    beta, gamma, temperature = 2.0, 0.5, 3.0


class TestSigmoid(TestDIST):
    arguments = {'activation': 'sigmoid'}

    def scores(self, logits):
        return 1 / (1 + (-logits).exp())


def test_a_linear_map_of_the_scores_costs_nothing():
    """The paper's reason: a student may be less sure than its teacher."""
    teacher = torch.rand(6, 5, dtype=torch.float64, generator=torch.manual_seed(0)).softmax(1)
    student = 0.3 * teacher + 0.14
    assert DISTLoss()(student.log(), teacher.log()).abs() < 1e-9


def test_weights_scale_intra_and_choose_inter():
    pred, soft_label, weight, _ = batch()
    inter, intra = (
        DISTLoss(beta, gamma, reduction='none')(pred, soft_label)
        for beta, gamma in ((1, 0), (0, 1))
    )
    assert torch.equal(intra, intra[:1].expand(ROWS))
    total = DISTLoss()(pred, soft_label, weight=weight, avg_factor=2.0)
    expected = (weight * inter).sum() / 2 + intra[0] * weight.sum() / 2
    torch.testing.assert_close(total, expected, rtol=1e-6, atol=1e-6)


def test_without_intra_rows_are_independent():
    pred, soft_label, _, _ = batch()
    loss = DISTLoss(gamma=0.0, reduction='none')
    torch.testing.assert_close(loss(pred[:2], soft_label[:2]), loss(pred, soft_label)[:2])


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_one_row_and_equal_scores_have_a_finite_gradient(activation):
    for logits in (torch.randn(1, 4), torch.zeros(3, 4)):
        logits = logits.requires_grad_()
        loss = DISTLoss(activation=activation)(logits, torch.randn(len(logits), 4))
        loss.backward()
        assert loss.isfinite() and logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'temperature': 0}, 'temperature=0 must be a positive'),
        ({'activation': 'relu'}, "activation='relu' is unknown; choose one of sigmoid, softmax"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        DISTLoss(**arguments)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('classes', [7, 10, 80, 1203])
@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_equal_scores_have_no_correlation_and_no_gradient(dtype, classes, activation):
    """As documented; what rounding leaves of them has one, and a gradient of 1e8."""
    pred = torch.full((5, classes), -0.125, dtype=dtype, requires_grad=True)
    loss = DISTLoss(activation=activation, reduction='none')(pred, pred.detach())
    assert loss.tolist() == [2.0] * 5
    loss.sum().backward()
    assert not pred.grad.any()
