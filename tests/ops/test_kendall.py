"""kendall_tau against the definition, and what autograd sees of it."""

import itertools

import pytest
import torch
from scipy.stats import kendalltau

from mmdet_kdrank.ops import BACKENDS, SURROGATES, kendall_tau
from tests.ops.oracle import DEVICES, SEPARATE, SOFT, accepts, best_dtype, joint_ranges, loop_tau

RUNNERS = [
    (backend, device)
    for backend, device in itertools.product(BACKENDS, DEVICES)
    if accepts(backend, device, torch.float32)
]
backends = pytest.mark.parametrize('backend', [name for name, device in RUNNERS if device == 'cpu'])
runners = pytest.mark.parametrize(('backend', 'device'), RUNNERS)
forms = pytest.mark.parametrize('form', SEPARATE)


def logits(*shape, seed=0, dtype=torch.float64, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).to(dtype)


def calls():
    """What each runner takes."""
    dtypes = [torch.float32, torch.float64]
    every = itertools.product(RUNNERS, dtypes, SURROGATES, [False, True])
    return [
        (*runner, dtype, surrogate, exact)
        for runner, dtype, surrogate, exact in every
        if accepts(*runner, dtype, surrogate, exact)
    ]


plain_calls = pytest.mark.parametrize(
    ('backend', 'dtype', 'surrogate'),
    [
        (backend, best_dtype(backend), surrogate)
        for backend, surrogate in itertools.product(BACKENDS, SURROGATES)
        if accepts(backend, 'cpu', best_dtype(backend), surrogate)
    ],
)


@pytest.mark.parametrize(('backend', 'device', 'dtype', 'surrogate', 'exact_teacher'), calls())
@forms
@pytest.mark.parametrize('steepness', [1.0, 0.3])
def test_equals_the_definition(device, backend, form, dtype, exact_teacher, steepness, surrogate):
    student, teacher = (x.to(device, dtype) for x in joint_ranges(steepness, columns=9))
    options = {
        'steepness': steepness,
        'surrogate': surrogate,
        'exact_teacher': exact_teacher,
        'form': form,
    }
    student.requires_grad_(surrogate != 'sign')
    tau = kendall_tau(student, teacher, backend=backend, **options)
    expected = loop_tau(student, teacher, **options)
    atol = 1e-6 if dtype is torch.float32 else 1e-13
    torch.testing.assert_close(tau.double(), expected, atol=atol, rtol=0)
    if surrogate != 'sign':
        (grad,) = torch.autograd.grad(tau.sum(), student)
        (grad_expected,) = torch.autograd.grad(expected.sum(), student)
        torch.testing.assert_close(grad, grad_expected, atol=atol, rtol=atol)


@backends
def test_sign_equals_scipy_without_ties(backend):
    dtype = best_dtype(backend)
    student, teacher = logits(20, 17, dtype=dtype), logits(20, 17, seed=1, dtype=dtype)
    tau = kendall_tau(student, teacher, surrogate='sign', backend=backend)
    expected = [kendalltau(s, t).statistic for s, t in zip(student, teacher, strict=True)]
    torch.testing.assert_close(tau, torch.tensor(expected, dtype=dtype))


@backends
def test_ties_count_zero_as_in_tau_a(backend):
    student, teacher = torch.tensor([[1.0, 1, 2, 3]]), torch.tensor([[1.0, 2, 3, 4]])
    tau_a = kendall_tau(student, teacher, surrogate='sign', backend=backend)
    torch.testing.assert_close(tau_a, torch.tensor([5 / 6]))
    assert kendall_tau(student, student, surrogate='sign', backend=backend).item() < 1


@backends
def test_cosine_of_signs_is_scipys_tau_b(backend):
    dtype = best_dtype(backend)
    student, teacher = (logits(20, 9, seed=seed, dtype=dtype).round() for seed in (0, 1))
    tau_b = kendall_tau(
        student, teacher, surrogate='sign', form='cosine', eps=1e-15, backend=backend
    )
    expected = [kendalltau(s, t).statistic for s, t in zip(student, teacher, strict=True)]
    torch.testing.assert_close(tau_b, torch.tensor(expected, dtype=dtype))


@pytest.mark.parametrize(
    ('backend', 'device'), [runner for runner in RUNNERS if accepts(*runner, torch.float64)]
)
@forms
@pytest.mark.parametrize('surrogate', SOFT)
def test_gradcheck(device, backend, form, surrogate):
    student = logits(3, 5).to(device).requires_grad_()
    teacher = logits(3, 5, seed=1).to(device)
    mask = torch.ones_like(student, dtype=torch.bool)
    mask[1, 2] = mask[2, 0] = mask[2, 4] = False
    for valid in (None, mask):
        assert torch.autograd.gradcheck(
            lambda x, valid=valid: kendall_tau(
                x, teacher, valid, 1.5, surrogate, backend, form=form
            ),
            student,
        )


@backends
@forms
def test_mask_equals_the_compacted_row(backend, form):
    generator = torch.Generator().manual_seed(2)
    mask = torch.rand(12, 9, generator=generator) < 0.7
    dtype = best_dtype(backend)
    student = logits(12, 9, dtype=dtype).requires_grad_()
    teacher = logits(12, 9, seed=1, dtype=dtype)
    # Whatever is masked must not be looked at.
    dirty = teacher.masked_fill(~mask, float('nan'))
    tau = kendall_tau(student, dirty, mask, backend=backend, form=form)
    (grad,) = torch.autograd.grad(tau.sum(), student)
    for row, valid in enumerate(mask):
        assert valid.sum() > 2
        part = student[row : row + 1, valid]
        expected = loop_tau(part, teacher[row : row + 1, valid], form=form)
        torch.testing.assert_close(tau[row : row + 1], expected.to(dtype))
        torch.testing.assert_close(grad[row][valid], torch.autograd.grad(expected, part)[0][0])
    assert grad[~mask].eq(0).all()


@backends
@forms
@pytest.mark.parametrize('columns', [0, 1])
def test_fewer_than_two_valid_columns_give_zero(backend, form, columns):
    dtype = best_dtype(backend)
    student = logits(2, 5, dtype=dtype).requires_grad_()
    teacher = logits(2, 5, seed=1, dtype=dtype)
    mask = torch.zeros(2, 5, dtype=torch.bool)
    mask[:, :columns] = True
    tau = kendall_tau(student, teacher, mask, backend=backend, form=form)
    tau.sum().backward()
    assert tau.tolist() == [0, 0]
    assert student.grad.eq(0).all()


@backends
def test_two_valid_columns_have_no_gradient_in_the_cosine_form(backend):
    student = torch.tensor([[1.0, 3.0, 0.0]], requires_grad=True)
    mask = torch.tensor([[True, True, False]])
    tau = kendall_tau(student, -student, mask, form='cosine', eps=1e-7, backend=backend)
    tau.sum().backward()
    torch.testing.assert_close(tau.detach(), torch.tensor([-1.0]))
    assert student.grad.eq(0).all()


@backends
@forms
def test_constant_logits_have_a_finite_gradient(backend, form):
    student = torch.full((2, 6), 4.0, requires_grad=True)
    tau = kendall_tau(student, logits(2, 6, dtype=torch.float32), backend=backend, form=form)
    (grad,) = torch.autograd.grad(tau.sum(), student)
    torch.testing.assert_close(tau.detach(), torch.zeros(2), atol=1e-6, rtol=0)
    assert grad.isfinite().all() and grad.ne(0).any()


@runners
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(device, backend, dtype):
    student = logits(4, 9, dtype=dtype).to(device).requires_grad_()
    teacher = logits(4, 9, seed=1, dtype=dtype).to(device)
    with torch.autocast(device, dtype=torch.bfloat16):
        tau = kendall_tau(student, teacher, backend=backend)
    tau.sum().backward()
    assert tau.dtype is torch.float32 and student.grad.dtype is dtype
    full = student.detach().float().requires_grad_()
    expected = kendall_tau(full, teacher.float(), backend=backend)
    expected.sum().backward()
    torch.testing.assert_close(tau, expected, atol=0, rtol=0)
    torch.testing.assert_close(student.grad, full.grad.to(dtype), atol=0, rtol=0)


@plain_calls
@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_non_finite_logits_show(backend, dtype, surrogate, bad, side):
    inputs = {
        name: logits(3, 5, seed=seed, dtype=dtype)
        for seed, name in enumerate(['student', 'teacher'])
    }
    inputs[side][1, 2] = bad
    inputs['student'].requires_grad_()
    tau = kendall_tau(**inputs, surrogate=surrogate, backend=backend)
    assert tau.isnan().tolist() == [False, True, False]
    if surrogate != 'sign':
        tau.sum().backward()
        assert inputs['student'].grad.isnan().all(1).tolist() == [False, True, False]
        assert inputs['student'].grad[[0, 2]].isfinite().all()


@plain_calls
def test_the_largest_finite_logits_are_finite(backend, dtype, surrogate):
    student = torch.tensor([[3e38, 0.0, -3e38]], requires_grad=surrogate != 'sign')
    tau = kendall_tau(student, student, surrogate=surrogate, backend=backend)
    torch.testing.assert_close(tau.detach(), torch.ones(1))


@backends
def test_non_contiguous_input(backend):
    dtype = best_dtype(backend)
    student, teacher = logits(9, 5, dtype=dtype), logits(9, 10, seed=1, dtype=dtype)
    tau = kendall_tau(student.T, teacher.T[::2], backend=backend)
    expected = kendall_tau(student.T.contiguous(), teacher.T[::2].contiguous(), backend=backend)
    torch.testing.assert_close(tau, expected)


@backends
@forms
@pytest.mark.parametrize('masked', [False, True])
def test_no_rows(backend, form, masked):
    student = torch.zeros(0, 5, requires_grad=True)
    mask = torch.zeros(0, 5, dtype=torch.bool) if masked else None
    tau = kendall_tau(student, torch.zeros(0, 5), mask, backend=backend, form=form)
    assert tau.shape == (0,)
    tau.sum().backward()
    assert student.grad.shape == (0, 5)


def test_teacher_gets_neither_gradient_nor_graph():
    student, teacher = logits(2, 5).requires_grad_(), logits(2, 5, seed=1).requires_grad_()
    kendall_tau(student, teacher).sum().backward()
    assert teacher.grad is None
    assert not kendall_tau(student.detach(), teacher).requires_grad


def test_sign_has_no_graph():
    student = logits(2, 5).requires_grad_()
    assert not kendall_tau(student, logits(2, 5), surrogate='sign').requires_grad


def test_second_derivative_is_refused():
    student = logits(2, 5).requires_grad_()
    tau = kendall_tau(student, logits(2, 5, seed=1))
    (grad,) = torch.autograd.grad(tau.sum(), student, create_graph=True)
    with pytest.raises(RuntimeError, match='differentiable once: .* gradient penalty'):
        grad.square().sum().backward()


def test_the_student_may_change_in_place_before_backward():
    leaf, teacher = logits(2, 5).requires_grad_(), logits(2, 5, seed=1)
    student = leaf * 1
    tau = kendall_tau(student, teacher)
    student.add_(1)
    tau.sum().backward()
    expected = leaf.detach().clone().requires_grad_()
    kendall_tau(expected, teacher).sum().backward()
    assert torch.equal(leaf.grad, expected.grad)


@backends
def test_inputs_are_left_as_they_were(backend):
    dtype = best_dtype(backend)
    student, teacher = logits(3, 5, dtype=dtype), logits(3, 5, seed=1, dtype=dtype)
    before = student.clone(), teacher.clone()
    kendall_tau(student, teacher, steepness=2.0, backend=backend)
    assert torch.equal(student, before[0]) and torch.equal(teacher, before[1])
