"""PKDLoss against Pearson's definition, a channel at a time."""

import pytest
import torch
from mmdet.registry import MODELS

from mmdet_kdrank.losses import PKDLoss
from tests.losses.test_feature_base import levels


def correlation(x, y):
    """From the definition: covariance over the product of standard deviations."""
    x, y = x.flatten() - x.mean(), y.flatten() - y.mean()
    return (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()


def oracle(student, teacher):
    return sum(
        sum(1 - correlation(s[:, c], t[:, c]) for c in range(s.shape[1])) / s.shape[1]
        for s, t in zip(student, teacher, strict=True)
    )


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_value_and_gradient(dtype):
    student, teacher = levels(dtype=dtype), levels(seed=1, dtype=dtype)
    exact = [level.detach().double().requires_grad_() for level in student]
    expected = 6 * oracle(exact, [level.detach().double() for level in teacher])
    actual = MODELS.build(dict(type='PKDLoss', loss_weight=6.0))(student, teacher)
    close = dict(rtol=1e-5, atol=1e-6) if dtype is torch.float32 else dict(rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(actual.double(), expected, **close)
    grads = torch.autograd.grad(actual, student)
    for gradient, exact_gradient in zip(grads, torch.autograd.grad(expected, exact), strict=True):
        torch.testing.assert_close(gradient.double(), exact_gradient, **close)


def test_scale_and_offset_of_a_channel_cost_nothing():
    (teacher,) = levels([(5, 7)], dtype=torch.float64)
    scale = torch.tensor([0.01, 1.0, 30.0, 2.0], dtype=torch.float64)[:, None, None]
    moved = scale * teacher + torch.arange(4)[:, None, None]
    assert PKDLoss()([moved], [teacher]).abs() < 1e-6
    torch.testing.assert_close(PKDLoss()([-moved], [teacher]), torch.tensor(2.0).double())


def test_statistics_are_those_of_all_images_together():
    """An offset between images is part of what is learnt."""
    (teacher,) = levels([(4, 4)], dtype=torch.float64)
    student = teacher + torch.tensor([0.0, 5.0]).view(2, 1, 1, 1)
    apart = [PKDLoss()([student[i : i + 1]], [teacher[i : i + 1]]) for i in range(2)]
    assert all(value.abs() < 1e-9 for value in apart)
    assert PKDLoss()([student], [teacher]) > 0.1


@pytest.mark.parametrize('size', [(1, 1), (3, 3)])
def test_constant_channels_have_a_finite_gradient(size):
    student = torch.ones(1, 2, *size, requires_grad=True)
    teacher = torch.randn(1, 2, *size)
    loss = PKDLoss()([student], [teacher])
    torch.testing.assert_close(loss, torch.tensor(0.5 if size != (1, 1) else 0.0))
    loss.backward()
    assert student.grad.isfinite().all()
