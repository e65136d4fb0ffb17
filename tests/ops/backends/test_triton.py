"""The Triton backend beyond the common suite: every way of sharing out the pairs.

Without a GPU the kernels run in Triton's interpreter.
"""

import pytest
import torch

from mmdet_kdrank.ops import SURROGATES, kendall_tau
from tests.ops.oracle import SEPARATE, accepts

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
pytestmark = pytest.mark.skipif(
    not accepts('triton', DEVICE, torch.float32), reason='needs Triton 3.4 or newer'
)
from mmdet_kdrank.ops.backends.triton import grid  # noqa: E402


def tau_and_grad(student, teacher, mask, backend, **options):
    student = student.clone().requires_grad_()
    tau = kendall_tau(student, teacher, mask, 1.5, backend=backend, **options)
    return tau.detach(), torch.autograd.grad(tau.square().sum(), student)[0]


def assert_equals_the_reference(student, teacher, mask=None, **options):
    actual = tau_and_grad(student, teacher, mask, 'triton', **options)
    expected = tau_and_grad(student.double(), teacher.double(), mask, 'reference', **options)
    for computed, exact in zip(actual, expected, strict=True):
        torch.testing.assert_close(computed.double(), exact, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(('half', 'block_i'), [(True, 8), (False, 4), (False, 8)])
@pytest.mark.parametrize('shape', [(3, 5), (33, 17), (32, 40)])
@pytest.mark.parametrize('form', SEPARATE)
@pytest.mark.parametrize('masked', [False, True])
def test_equals_the_reference_for_every_shape(monkeypatch, half, block_i, shape, form, masked):
    monkeypatch.setattr(grid, 'launch_shape', lambda rows, columns: (half, block_i))
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, *shape, generator=generator) * 3).to(DEVICE)
    mask = (torch.rand(*shape, generator=generator) < 0.8).to(DEVICE) if masked else None
    assert_equals_the_reference(student, teacher, mask, form=form)


@pytest.mark.parametrize('surrogate', sorted(set(SURROGATES) - {'sign'}))
@pytest.mark.parametrize('exact_teacher', [False, True])
def test_each_pair_once_for_every_surrogate(monkeypatch, surrogate, exact_teacher):
    monkeypatch.setattr(grid, 'launch_shape', lambda rows, columns: (True, 8))
    student, teacher = (torch.randn(2, 5, 19) * 3).to(DEVICE)
    options = {'surrogate': surrogate, 'exact_teacher': exact_teacher, 'form': 'cosine'}
    assert_equals_the_reference(student, teacher, **options)


@pytest.mark.parametrize('half', [False, True])
def test_a_wide_block_of_rows_and_a_narrow_one(monkeypatch, half):
    monkeypatch.setattr(grid, 'launch_shape', lambda rows, columns: (half, 8))
    student, teacher = (torch.randn(2, 40, 9) * 3).to(DEVICE)
    student[35] *= 1e3
    assert_equals_the_reference(student, teacher)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_and_strides_are_read_in_place(dtype):
    student, teacher = (torch.randn(2, 12, 9) * 3).to(DEVICE, dtype)
    computed = kendall_tau(student.T, teacher.T[:, ::1], backend='triton')
    expected = kendall_tau(student.T.double(), teacher.T.double(), backend='reference')
    torch.testing.assert_close(computed.double(), expected, atol=1e-6, rtol=0)


def test_a_rule_and_no_timing_decides_the_launch():
    assert grid.launch_shape(200_000, 80) == (True, 8)
    assert grid.launch_shape(1024, 81) == (False, 4)
    assert grid.launch_shape(1024, 1204) == (False, 8)


@pytest.mark.cuda
@pytest.mark.parametrize('shape', [(1, 2), (70_000, 81), (129, 4096), (1024, 1204)])
def test_large_shapes(shape):
    student, teacher = (torch.randn(2, *shape) * 3).to(DEVICE)
    actual = tau_and_grad(student, teacher, None, 'triton')
    expected = tau_and_grad(student.double(), teacher.double(), None, 'chunked')
    for computed, exact in zip(actual, expected, strict=True):
        torch.testing.assert_close(computed.double(), exact, atol=1e-6, rtol=1e-6)


@pytest.mark.cuda
@pytest.mark.parametrize('shape', [(1024, 81), (40_000, 80)])
def test_two_runs_agree_bit_for_bit(shape):
    student, teacher = (torch.randn(2, *shape) * 3).to(DEVICE)
    first = tau_and_grad(student, teacher, None, 'triton')
    second = tau_and_grad(student, teacher, None, 'triton')
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))


@pytest.mark.cuda
def test_a_cuda_graph_captures_it():
    student, teacher = (torch.randn(2, 64, 81) * 3).to(DEVICE)
    expected = tau_and_grad(student, teacher, None, 'triton')
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = tau_and_grad(student, teacher, None, 'triton')
    graph.replay()
    torch.cuda.synchronize()
    assert all(torch.equal(x, y) for x, y in zip(captured, expected, strict=True))
