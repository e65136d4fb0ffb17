"""The form with one surrogate of the product of both differences."""

import itertools

import pytest
import torch

from mmdet_kdrank.ops import BACKENDS, SURROGATES, grouped_kendall_tau, kendall_tau
from tests.ops.oracle import SOFT, loop_grouped_tau, loop_tau

KNOWING = ['chunked', 'reference']
knowing = pytest.mark.parametrize('backend', KNOWING)


def rows(seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(5, 40, generator=generator, dtype=torch.float64)).to(dtype)


@knowing
@pytest.mark.parametrize('surrogate', SURROGATES)
@pytest.mark.parametrize('masked', [False, True])
def test_equals_the_definition(backend, surrogate, masked):
    student, teacher = rows(0).requires_grad_(), rows(1)
    mask = torch.rand(student.shape, generator=torch.Generator().manual_seed(2)) < 0.7
    options = dict(steepness=0.4, surrogate=surrogate, form='product')
    tau = kendall_tau(student, teacher, mask if masked else None, backend=backend, **options)
    valid = mask if masked else torch.ones_like(mask)
    expected = torch.cat(
        [
            loop_tau(student[n : n + 1, columns], teacher[n : n + 1, columns], **options)
            for n, columns in enumerate(valid)
        ]
    )
    torch.testing.assert_close(tau, expected)
    if surrogate != 'sign':
        weight = torch.arange(1.0, 6.0)
        grad, by_autograd = (
            torch.autograd.grad((value * weight).sum(), student)[0] for value in (tau, expected)
        )
        torch.testing.assert_close(grad, by_autograd)


@knowing
@pytest.mark.parametrize('surrogate', SOFT)
def test_is_bounded_and_symmetric_and_shifts_change_nothing(backend, surrogate):
    student, teacher = rows(3), rows(4)
    options = dict(steepness=2.0, surrogate=surrogate, form='product', backend=backend)
    tau = kendall_tau(student, teacher, **options)
    assert tau.abs().max() <= 1
    torch.testing.assert_close(kendall_tau(teacher, student, **options), tau)
    torch.testing.assert_close(kendall_tau(student + 5, teacher - 7, **options), tau)
    torch.testing.assert_close(kendall_tau(-student, teacher, **options), -tau)


def test_is_diffkendall_at_half_its_beta():
    """``2 sigmoid(beta x) - 1 = tanh(beta x / 2)``, as in its authors' code."""
    student, teacher = rows(5), rows(6)
    i, j = torch.triu_indices(40, 40, 1)
    product = (student[:, i] - student[:, j]) * (teacher[:, i] - teacher[:, j])
    expected = (2 * (1.5 * product).sigmoid() - 1).mean(1)
    torch.testing.assert_close(
        kendall_tau(student, teacher, steepness=0.75, form='product'), expected
    )


@pytest.mark.parametrize('backend', sorted(set(BACKENDS) - set(KNOWING)))
def test_other_backends_refuse_it(backend):
    student, teacher = rows(7, torch.float32), rows(8, torch.float32)
    with pytest.raises(ValueError, match=f'backend={backend!r} cannot compute this call'):
        kendall_tau(student, teacher, form='product', backend=backend)
    auto = kendall_tau(student, teacher, form='product')
    assert torch.equal(auto, kendall_tau(student, teacher, form='product', backend='chunked'))


def test_an_exact_teacher_is_refused():
    with pytest.raises(ValueError, match='leave out exact_teacher'):
        kendall_tau(rows(0), rows(1), form='product', exact_teacher=True)


def test_groups_estimate_it_without_bias():
    student, teacher = rows(9)[:, :6], rows(10)[:, :6]
    every = torch.tensor(list(itertools.permutations(range(6))))
    options = dict(form='product', steepness=0.3)
    many = [row.expand(len(every), 6) for row in (student[0], teacher[0])]
    estimates = grouped_kendall_tau(*many, every, 2, **options)
    torch.testing.assert_close(estimates.mean(), kendall_tau(student, teacher, **options)[0])
    few = every[::100]
    torch.testing.assert_close(
        grouped_kendall_tau(student, teacher, few, 2, **options),
        loop_grouped_tau(student, teacher, few, 2, **options),
    )
