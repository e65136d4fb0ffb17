"""Steep ranks on the native backend: sorted rows, where only near pairs take own terms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet_kdrank.ops import kendall_tau
from mmdet_kdrank.ops.backends import native
from tests.ops.oracle import SEPARATE, accepts

pytestmark = pytest.mark.skipif(
    not accepts('native', 'cpu', torch.float32), reason='the package was built without a compiler'
)
forms = pytest.mark.parametrize('form', SEPARATE)


def tau_and_grad(student, teacher, backend, **options):
    student = student.clone().requires_grad_()
    tau = kendall_tau(student, teacher, backend=backend, **options)
    return tau.detach().double(), torch.autograd.grad(tau.sum(), student)[0].double()


def check(student, teacher, **options):
    """Both results against float64, the gradient as a share of its bound, 2 k / C."""
    tau, grad = tau_and_grad(student, teacher, 'native', **options)
    expected = tau_and_grad(student.double(), teacher.double(), 'reference', **options)
    torch.testing.assert_close(tau, expected[0], atol=1e-6, rtol=0)
    bound = 2 * options['steepness'] / student.shape[1]
    torch.testing.assert_close(grad / bound, expected[1] / bound, atol=2e-6, rtol=2e-6)


def logits(rows, columns, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(2, rows, columns, generator=generator) * 3).unbind()


@forms
@pytest.mark.parametrize('steepness', [3.0, 10.0, 100.0, 1e3])
@pytest.mark.parametrize('columns', [3, 4, 5, 17, 81])
@pytest.mark.parametrize('masked', [False, True])
def test_equals_the_reference(form, steepness, columns, masked):
    student, teacher = logits(37, columns)
    mask = student < 3 if masked else None
    check(student, teacher, mask=mask, steepness=steepness, form=form)


@forms
def test_many_classes(form):
    check(*logits(3, 600), steepness=10.0, form=form)


@st.composite
def rows(draw):
    """Logits of any range k R up to 1e4, with ties and neighbours in float32 on either side."""
    columns = draw(st.integers(3, 24))
    steepness = draw(st.sampled_from([1.0, 10.0, 100.0]))
    sides = []
    for side in range(2):
        total = draw(st.sampled_from([0.0, 1e-3, 1.0, 17.0, 41.0, 90.0, 1e3, 1e4]))
        seed = draw(st.integers(0, 99))
        x = torch.rand(5, columns, generator=torch.Generator().manual_seed(2 * seed + side))
        x = (x - 0.5) * (total / steepness)
        copied = draw(st.lists(st.tuples(*[st.integers(0, columns - 1)] * 2), max_size=8))
        for place, (to, source) in enumerate(copied):
            near = x[:, source].nextafter(torch.tensor(math.inf))
            x[:, to] = near if place % 2 else x[:, source]
        sides.append(x)
    mask = draw(st.none() | st.integers(0, 99))
    if mask is not None:
        mask = torch.rand(5, columns, generator=torch.Generator().manual_seed(mask)) < 0.8
    return *sides, mask, steepness


@settings(deadline=None, derandomize=True, max_examples=150)
@given(rows())
def test_ties_near_ties_and_ranges(call):
    student, teacher, mask, steepness = call
    check(student, teacher, mask=mask, steepness=steepness)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(rows())
def test_cosine_of_ties_near_ties_and_ranges(call):
    student, teacher, mask, steepness = call
    # A constant side has gradients of 1 / eps, which float32 does not hold to the same share.
    check(student, teacher, mask=mask, steepness=steepness, form='cosine', eps=1.0)


@forms
def test_broken_and_idle_rows_stay_apart(form):
    student, teacher = logits(19, 21)
    student[2, 3], teacher[17, 0] = math.nan, math.inf
    sound = [row for row in range(19) if row not in (2, 17)]
    options = {'steepness': 100.0, 'form': form}
    tau, grad = tau_and_grad(student, teacher, 'native', **options)
    assert tau.isnan().nonzero().flatten().tolist() == [2, 17]
    expected = tau_and_grad(student.double(), teacher.double(), 'reference', **options)
    torch.testing.assert_close(tau[sound], expected[0][sound], atol=1e-6, rtol=0)
    torch.testing.assert_close(grad[sound], expected[1][sound], atol=1e-5, rtol=2e-6)


@pytest.mark.parametrize('extreme', [1e8, 3e38])
def test_a_range_too_wide_for_sort_keys_takes_pairs(extreme):
    student, teacher = logits(3, 9)
    student[1, 4] = extreme
    check(student, teacher, steepness=100.0)


@forms
@pytest.mark.parametrize('instructions', [0, 1, 2])
def test_every_instruction_set(monkeypatch, instructions, form):
    monkeypatch.setattr(native, '_INSTRUCTIONS', instructions)
    check(*logits(20, 40), steepness=30.0, form=form)


def test_equal_rows_have_tau_near_1():
    student, _ = logits(4, 30)
    tau, _ = tau_and_grad(student, student, 'native', steepness=1e4)
    assert (tau > 0.999).all()
