"""The surrogates against their formulas."""

import pytest
import torch

from mmdet_kdrank.ops import SURROGATES
from tests.ops.oracle import PHI, SOFT


def evaluate(name, z):
    value, slope = z.detach().clone(), torch.empty_like(z)
    SURROGATES[name](value, slope, True)
    return value, slope


@pytest.mark.parametrize('name', SURROGATES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_value_and_slope(name, dtype):
    z = torch.cat([torch.linspace(-12, 12, 97), torch.tensor([1e-7, 1e4])]).to(dtype)
    exact = z.double().clone().requires_grad_()
    expected = PHI[name](exact)
    value, slope = evaluate(name, z)
    atol = 2e-7 if dtype is torch.float32 else 1e-15
    torch.testing.assert_close(value.double(), expected.detach(), atol=atol, rtol=0)
    derivative = torch.zeros_like(exact)
    if name != 'sign':
        (derivative,) = torch.autograd.grad(expected.sum(), exact)
    torch.testing.assert_close(slope.double(), derivative, atol=atol, rtol=0)
    without = z.clone()
    SURROGATES[name](without, torch.empty_like(z), False)
    assert torch.equal(without, value)


@pytest.mark.parametrize('name', SOFT)
def test_slope_one_at_the_origin(name):
    value, slope = evaluate(name, torch.zeros(1, dtype=torch.float64))
    assert (value.item(), slope.item()) == (0, 1)


@pytest.mark.parametrize('name', SURROGATES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_saturates_without_overflow(name, dtype):
    z = torch.tensor([1e10, torch.finfo(dtype).max, float('inf')], dtype=dtype)
    value, slope = evaluate(name, torch.cat([z, -z]))
    torch.testing.assert_close(value, torch.ones_like(z).repeat(2) * torch.cat([z, -z]).sign())
    assert slope.isfinite().all()


def test_heavy_tails_survive_float32():
    """The slope at z = 1e3, where 1 - phi^2 has no digit left."""
    _, slope = evaluate('algebraic', torch.tensor([1e3]))
    torch.testing.assert_close(slope, torch.tensor([1e-9]), rtol=1e-5, atol=0)
