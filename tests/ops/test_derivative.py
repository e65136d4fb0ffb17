"""The pieces of the derivative; tau and its gradient as a whole are test_kendall.py's."""

import pytest
import torch

from mmdet_kdrank.ops.derivative import (
    KendallTauBackward,
    fake_tau_and_derivative,
    fold_batch,
    scale_direction,
    tau_and_derivative,
)
from tests.ops.oracle import loop_tau

OPTIONS = (1.5, 'tanh', False, 'cosine', 1e-2, 'reference')


def logits(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64).unbind()


def test_direction_times_scale_is_the_derivative():
    student, teacher = logits(4, 5)
    tau, direction, scale = tau_and_derivative(student, teacher, None, *OPTIONS, True)
    leaf = student.clone().requires_grad_()
    expected = loop_tau(leaf, teacher, 1.5, form='cosine')
    torch.testing.assert_close(tau, expected.detach())
    weights = torch.arange(1.0, 5.0, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(expected, leaf, weights)
    torch.testing.assert_close(scale_direction(weights, direction, scale, student), gradient)


@pytest.mark.parametrize('derivative', [True, False])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_fake_has_the_shapes_and_dtypes(dtype, derivative):
    student, teacher = (side.to(dtype) for side in logits(4, 5))
    actual = tau_and_derivative(student, teacher, None, *OPTIONS, derivative)
    fake = fake_tau_and_derivative(student, teacher, None, *OPTIONS, derivative)
    assert [(x.shape, x.dtype) for x in fake] == [(x.shape, x.dtype) for x in actual]


def test_folded_batch_is_a_loop():
    student, teacher = logits(3, 4, 5)
    outputs, dims = fold_batch(
        tau_and_derivative, 3, (0, None, None), (student, teacher[0], None, *OPTIONS, True)
    )
    assert dims == (0, 0, 0)
    for index, sample in enumerate(student):
        expected = tau_and_derivative(sample, teacher[0], None, *OPTIONS, True)
        torch.testing.assert_close(tuple(output[index] for output in outputs), expected)


def test_second_order_is_refused():
    direction = torch.ones(2, 3)
    grad_tau = torch.ones(2, requires_grad=True)
    gradient = KendallTauBackward.apply(grad_tau, direction, torch.ones(2), direction)
    with pytest.raises(RuntimeError, match='differentiable once'):
        gradient.sum().backward()
