"""Groups of classes: unbiased by enumeration, equal to a loop over groups, and what is refused."""

from itertools import permutations

import pytest
import torch

from mmdet_kdrank.ops import BACKENDS, grouped_kendall_tau, kendall_tau
from tests.ops.oracle import DEVICES, SOFT, accepts, best_dtype, loop_grouped_tau


def logits(rows, columns, dtype=torch.float64, device='cpu'):
    generator = torch.Generator().manual_seed(rows + columns)
    pair = 2 * torch.randn(2, rows, columns, generator=generator, dtype=torch.float64)
    student, teacher = pair.to(device, dtype)
    return student.requires_grad_(), teacher


def permuted(count, columns, device='cpu'):
    generator = torch.Generator().manual_seed(count)
    return torch.stack([torch.randperm(columns, generator=generator) for _ in range(count)]).to(
        device
    )


def value_and_gradient(function, student, *args, **options):
    value = function(student, *args, **options)
    weights = torch.linspace(0.5, 1.5, len(value), device=value.device)
    return value.detach(), torch.autograd.grad((value * weights).sum(), student)[0]


@pytest.mark.parametrize('surrogate', SOFT)
@pytest.mark.parametrize('exact_teacher', [False, True])
@pytest.mark.parametrize(('columns', 'groups'), [(4, 2), (5, 2), (6, 2), (6, 3), (7, 3)])
def test_mean_over_all_shuffles_is_the_full_coefficient(surrogate, exact_teacher, columns, groups):
    """Value and gradient, where groups are equal and where they are not."""
    student, teacher = logits(1, columns)
    options = {'surrogate': surrogate, 'exact_teacher': exact_teacher}
    orders = torch.tensor(list(permutations(range(columns))))
    count = len(orders)
    estimates = grouped_kendall_tau(
        student.expand(count, -1), teacher.expand(count, -1), orders, groups, **options
    )
    full = kendall_tau(student, teacher, **options)
    assert estimates.std() > 1e-3
    torch.testing.assert_close(estimates.mean(), full[0], rtol=0, atol=1e-13)
    (mean_grad,) = torch.autograd.grad(estimates.mean(), student)
    (full_grad,) = torch.autograd.grad(full.sum(), student)
    torch.testing.assert_close(mean_grad, full_grad, rtol=0, atol=1e-13)


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('rows', [1, 3, 8, 11])
@pytest.mark.parametrize('groups', [1, 3, 5])
def test_equals_a_loop_over_groups(backend, device, rows, groups):
    """With as many rows as permutations, with fewer, and with a last block that is not full."""
    dtype = best_dtype(backend)
    if not accepts(backend, device, dtype):
        pytest.skip('the backend does not run there')
    student, teacher = logits(rows, 11, dtype, device)
    orders = permuted(4, 11, device)
    actual = value_and_gradient(
        grouped_kendall_tau, student, teacher, orders, groups, backend=backend
    )
    expected = value_and_gradient(loop_grouped_tau, student, teacher, orders, groups)
    close = {'rtol': 0, 'atol': 1e-13 if dtype is torch.float64 else 1e-6}
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one.double(), other.double(), **close)


def test_every_class_gets_a_gradient():
    """None is left out where the groups do not divide the classes."""
    student, teacher = logits(6, 23)
    _, grad = value_and_gradient(grouped_kendall_tau, student, teacher, permuted(4, 23), 11)
    assert grad.ne(0).all()


def test_classes_weigh_alike():
    """A class that all are compared with in vain takes the same from every shuffle.

    One class is far above the rest in the student and last in the teacher, and the rest agree:
    each pair with it counts -1 and each other pair 1. How many of either a shuffle takes depends on
    the size of that class's group; their weight does not.
    """
    ranks = torch.arange(7.0, dtype=torch.float64)[None]
    student, teacher = ranks.clone(), ranks.clone()
    student[0, 3], teacher[0, 3] = 100, -100
    orders = permuted(50, 7)
    taus = grouped_kendall_tau(
        student.expand(50, -1), teacher.expand(50, -1), orders, 3, surrogate='sign'
    )
    torch.testing.assert_close(taus, torch.full_like(taus, 1 - 4 / 7))


def test_no_rows():
    student, teacher = logits(0, 9)
    value, grad = value_and_gradient(grouped_kendall_tau, student, teacher, permuted(4, 9), 2)
    assert value.shape == (0,) and grad.shape == (0, 9)


X = torch.zeros(2, 5)
ORDERS = torch.arange(5)[None]


@pytest.mark.parametrize(
    ('args', 'options', 'error', 'message'),
    [
        ((X, X[:, :2], ORDERS, 2), {}, ValueError, 'Equal rows must be the same sample'),
        ((X, X, ORDERS, 3), {}, ValueError, '3 groups of C = 5 classes .* use at most 2'),
        ((X, X, ORDERS, 0), {}, ValueError, 'groups=0 must be a whole number of at least 1'),
        ((X, X, ORDERS[0], 2), {}, ValueError, r'orders has shape \(5,\); it must be \(K, 5\)'),
        ((X, X, ORDERS[:, 1:], 2), {}, ValueError, r'orders has shape \(1, 4\)'),
        ((X, X, ORDERS[:0], 2), {}, ValueError, r'orders has shape \(0, 5\)'),
        ((X, X, ORDERS.to('meta'), 2), {}, ValueError, 'orders is on meta; move it to cpu'),
        ((X, X, ORDERS, 2), {'form': 'cosine'}, ValueError, "form='cosine' is no mean over pairs"),
        ((X, X, ORDERS, 2), {'mask': X == 0}, TypeError, 'takes no mask'),
        ((X, X, ORDERS, 2), {'steepness': 0}, ValueError, 'steepness=0 must be a positive'),
    ],
)
def test_refuses(args, options, error, message):
    with pytest.raises(error, match=message):
        grouped_kendall_tau(*args, **options)
