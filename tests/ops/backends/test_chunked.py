"""The chunked backend: every tiling gives the reference's sums, in bounded memory."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from mmdet_kdrank.ops import FORMS, kendall_tau
from mmdet_kdrank.ops.backends import chunked


def tau_and_grad(student, teacher, mask, backend, form):
    student = student.clone().requires_grad_()
    tau = kendall_tau(student, teacher, mask, 1.5, backend=backend, form=form)
    return tau.detach(), torch.autograd.grad(tau.square().sum(), student)[0]


# Whole rows; several rows; one band of one row; fewer columns than classes; a single pair.
@pytest.mark.parametrize('budget', [1 << 14, 1000, 40, 7, 1])
@pytest.mark.parametrize('columns', [3, 16, 17, 37])
@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('masked', [False, True])
def test_equals_the_reference_for_every_tiling(monkeypatch, budget, columns, form, masked):
    monkeypatch.setattr(chunked, '_SCRATCH_CPU', budget)
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 3, columns, generator=generator, dtype=torch.float64)
    mask = torch.rand(3, columns, generator=generator) < 0.8 if masked else None
    actual = tau_and_grad(student, teacher, mask, 'chunked', form)
    expected = tau_and_grad(student, teacher, mask, 'reference', form)
    torch.testing.assert_close(actual, expected)


class LargestTensor(TorchDispatchMode):
    """Records the elements of the largest storage that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_flatten(result)[0]:
            if isinstance(leaf, torch.Tensor):
                size = leaf.untyped_storage().nbytes() // leaf.element_size()
                self.elements = max(self.elements, size)
        return result


@pytest.mark.parametrize('shape', [(2000, 40), (4, 1203), (1, 5000)])
@pytest.mark.parametrize('form', FORMS)
def test_memory_is_bounded(monkeypatch, shape, form):
    budget = 1 << 15
    monkeypatch.setattr(chunked, '_SCRATCH_CPU', budget)
    rows, columns = shape
    assert rows * columns * columns > 10 * max(budget, 2 * rows * columns)
    student, teacher = torch.randn(rows, columns, requires_grad=True), torch.randn(rows, columns)
    with LargestTensor() as largest:
        kendall_tau(student, teacher, backend='chunked', form=form).sum().backward()
    # The derivatives of both sums, (2, N, C), or a scratch buffer.
    assert largest.elements <= max(budget, 2 * rows * columns)
