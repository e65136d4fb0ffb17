"""What must hold for any logits: bounds, symmetries, invariances, and where the maximum lies."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmdet_kdrank.ops import SURROGATES, kendall_tau
from tests.layouts import DTYPES, logits
from tests.ops.oracle import CPU_BACKENDS, SEPARATE, SOFT, accepts, best_dtype

few = settings(deadline=None, derandomize=True, max_examples=40)

# Multiples of 1/8: sums and differences of them are exact, ties are frequent.
eighths = st.integers(-200, 200).map(lambda n: n / 8)


@st.composite
def calls(draw, soft=False):
    """Student, teacher and options."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(3, 20)))
    student, teacher = (
        torch.from_numpy(draw(arrays(np.float64, shape, elements=eighths))) for _ in range(2)
    )
    backend = draw(st.sampled_from(CPU_BACKENDS))
    dtype = best_dtype(backend)
    known = [
        name for name in (SOFT if soft else SURROGATES) if accepts(backend, 'cpu', dtype, name)
    ]
    options = {
        'steepness': draw(st.sampled_from([0.1, 1.0, 30.0])),
        'surrogate': draw(st.sampled_from(known)),
        'form': draw(st.sampled_from(SEPARATE)),
        'backend': backend,
    }
    return student.to(dtype), teacher.to(dtype), options


def gradient(student, teacher, options):
    student = student.clone().requires_grad_()
    return torch.autograd.grad(kendall_tau(student, teacher, **options).sum(), student)[0]


@few
@given(calls())
def test_bounded(call):
    student, teacher, options = call
    slack = 4 * torch.finfo(student.dtype).eps
    assert kendall_tau(student, teacher, **options).abs().max() <= 1 + slack


@few
@given(calls())
def test_symmetric_in_student_and_teacher(call):
    student, teacher, options = call
    torch.testing.assert_close(
        kendall_tau(student, teacher, **options), kendall_tau(teacher, student, **options)
    )


@few
@given(calls())
def test_antisymmetric(call):
    student, teacher, options = call
    torch.testing.assert_close(
        kendall_tau(-student, teacher, **options), -kendall_tau(student, teacher, **options)
    )


@few
@given(calls(soft=True), st.randoms(use_true_random=False))
def test_permutation_of_the_classes(call, random):
    student, teacher, options = call
    order = list(range(student.shape[1]))
    random.shuffle(order)
    torch.testing.assert_close(
        kendall_tau(student[:, order], teacher[:, order], **options),
        kendall_tau(student, teacher, **options),
    )
    torch.testing.assert_close(
        gradient(student[:, order], teacher[:, order], options),
        gradient(student, teacher, options)[:, order],
    )


@few
@given(calls(soft=True), eighths, eighths)
def test_shift_invariant(call, shift_s, shift_t):
    student, teacher, options = call
    torch.testing.assert_close(
        kendall_tau(student + shift_s, teacher + shift_t, **options),
        kendall_tau(student, teacher, **options),
    )
    # So the gradient has no component along a shift.
    grad = gradient(student, teacher, options)
    slack = 1e4 * torch.finfo(grad.dtype).eps
    assert grad.sum(1).abs().max() <= slack * (1 + grad.abs().max())


@few
@given(calls(soft=True))
def test_gradient_bound(call):
    student, teacher, options = call
    options['form'] = 'kendall'
    bound = 2 * options['steepness'] / student.shape[1]
    slack = 1e4 * torch.finfo(student.dtype).eps
    assert gradient(student, teacher, options).abs().max() <= bound * (1 + slack)


@few
@given(calls())
def test_equal_logits_are_a_maximum_of_the_sign(call):
    student, teacher, options = call
    options.update(surrogate='sign', form='kendall')
    at_teacher = kendall_tau(teacher, teacher, **options)
    assert (
        kendall_tau(student, teacher, **options) <= at_teacher + 4 * torch.finfo(student.dtype).eps
    ).all()


@few
@given(calls(soft=True))
def test_equal_logits_are_the_maximum_of_the_cosine(call):
    student, teacher, options = call
    # A constant teacher has no order, and every student tau 0.
    teacher = teacher + torch.arange(teacher.shape[1]) / 16
    options.update(form='cosine', eps=1e-12)
    at_teacher = kendall_tau(teacher, teacher, **options)
    torch.testing.assert_close(at_teacher, torch.ones_like(at_teacher))
    slack = 1e4 * torch.finfo(student.dtype).eps
    assert (kendall_tau(student, teacher, **options) <= at_teacher + slack).all()
    assert gradient(teacher, teacher, options).abs().max() < 1e-3


@pytest.mark.parametrize('surrogate', SOFT)
def test_equal_logits_are_no_maximum_of_the_soft_kendall_form(surrogate):
    """The documented subtlety: at finite k it goes on pushing gaps apart; for large k it stops."""
    teacher = torch.tensor([[2.0, 0.7, 0.0, -1.1]], dtype=torch.float64)
    options = {'steepness': 1.0, 'surrogate': surrogate}
    assert kendall_tau(teacher, teacher, **options).item() < 0.95
    grad = gradient(teacher, teacher, options)
    # Along the teacher's own direction: a larger scale of the student would be better still.
    assert (grad * teacher).sum() > 0.1
    assert kendall_tau(2 * teacher, teacher, **options) > kendall_tau(teacher, teacher, **options)
    steep = {'steepness': 1e3, 'surrogate': surrogate}
    assert gradient(teacher, teacher, steep).abs().max() < 1e-3


@st.composite
def any_calls(draw):
    """Tensors of any layout, dtype and size, with or without a mask, N = 0 among them."""
    dtype = draw(st.sampled_from(DTYPES))
    rows, columns = draw(st.integers(0, 5)), draw(st.integers(3, 40))
    student, teacher = (draw(logits(rows, columns, dtype)) for _ in range(2))
    mask = draw(st.none() | st.just(student) | st.just(teacher))
    if mask is not None:
        mask = mask > 0
    backend = draw(st.sampled_from([*sorted(set(CPU_BACKENDS) - {'reference'}), 'auto']))
    exact = draw(st.booleans())
    known = [
        name for name in SOFT if backend == 'auto' or accepts(backend, 'cpu', dtype, name, exact)
    ]
    if not known:
        backend, known = 'auto', SOFT
    options = {
        'surrogate': draw(st.sampled_from(known)),
        'exact_teacher': exact,
        'steepness': draw(st.sampled_from([0.01, 1.0, 30.0])),
        'form': draw(st.sampled_from(SEPARATE)),
        'mask': mask,
    }
    return student, teacher, backend, options


@settings(few, max_examples=200)
@given(any_calls())
def test_any_layout_equals_the_reference_on_plain_float64(call):
    student, teacher, backend, options = call
    leaf = student.detach().requires_grad_()
    tau = kendall_tau(leaf, teacher, backend=backend, **options)
    (grad,) = torch.autograd.grad(tau.sum(), leaf)
    exact = student.double().contiguous().requires_grad_()
    expected = kendall_tau(exact, teacher.double().contiguous(), backend='reference', **options)
    (grad_expected,) = torch.autograd.grad(expected.sum(), exact)
    assert tau.dtype is torch.promote_types(student.dtype, torch.float32)
    assert grad.dtype is student.dtype and grad.shape == student.shape
    slack = 1e-5 if tau.dtype is torch.float32 else 1e-11
    torch.testing.assert_close(tau.double(), expected, rtol=0, atol=slack)
    # The cosine form's gradient grows as 1 / eps, and half precision rounds it once more.
    scale = options['steepness'] * (100 if options['form'] == 'cosine' else 1)
    rtol = 2 * torch.finfo(student.dtype).eps if student.dtype.itemsize == 2 else 0
    tiny = torch.finfo(student.dtype).smallest_normal
    torch.testing.assert_close(grad.double(), grad_expected, rtol=rtol, atol=slack * scale + tiny)
