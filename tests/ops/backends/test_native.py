"""The native backend: lanes and threads must not show in the result."""

import pytest
import torch

from mmdet_kdrank.ops import kendall_tau
from mmdet_kdrank.ops.backends import native
from tests.ops.oracle import SEPARATE, accepts

pytestmark = pytest.mark.skipif(
    not accepts('native', 'cpu', torch.float32), reason='the package was built without a compiler'
)


def tau_and_grad(student, teacher, mask, backend, form):
    student = student.clone().requires_grad_()
    tau = kendall_tau(student, teacher, mask, 1.5, backend=backend, form=form)
    return tau.detach(), torch.autograd.grad(tau.square().sum(), student)[0]


# One lane, one panel, and panels with idle lanes; less than a block of classes, blocks with rest.
@pytest.mark.parametrize('rows', [1, 15, 16, 17, 40])
@pytest.mark.parametrize('columns', [3, 4, 5, 8, 21])
@pytest.mark.parametrize('form', SEPARATE)
@pytest.mark.parametrize('masked', [False, True])
def test_equals_the_reference_for_every_shape(rows, columns, form, masked):
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, rows, columns, generator=generator) * 3
    mask = torch.rand(rows, columns, generator=generator) < 0.8 if masked else None
    actual = tau_and_grad(student, teacher, mask, 'native', form)
    expected = tau_and_grad(student.double(), teacher.double(), mask, 'reference', form)
    for computed, exact in zip(actual, expected, strict=True):
        torch.testing.assert_close(computed.double(), exact, atol=1e-6, rtol=1e-6)


def test_a_wide_row_does_not_touch_its_neighbours():
    """It shares their lanes, and takes all of them on the other path."""
    student, teacher = torch.randn(2, 16, 9)
    wide = student.clone()
    wide[7] *= 1e4
    wide[8, 3] = float('inf')
    others = [row for row in range(16) if row not in (7, 8)]
    alone = tau_and_grad(student[others], teacher[others], None, 'native', 'kendall')
    with_wide_row = tau_and_grad(wide, teacher, None, 'native', 'kendall')
    for computed, expected in zip(with_wide_row, alone, strict=True):
        torch.testing.assert_close(computed[others], expected, atol=1e-6, rtol=1e-6)
    assert with_wide_row[0].isnan().nonzero().tolist() == [[8]]


@pytest.mark.parametrize('threads', [2, 3, 64])
def test_threads_change_nothing(monkeypatch, threads):
    student, teacher = torch.randn(2, 100, 30)
    before = tau_and_grad(student, teacher, None, 'native', 'cosine')
    monkeypatch.setattr(native, '_PAIRS_PER_THREAD', 1)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: threads)
    after = tau_and_grad(student, teacher, None, 'native', 'cosine')
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))


@pytest.mark.parametrize('instructions', [0, 1, 2])
@pytest.mark.parametrize('form', SEPARATE)
@pytest.mark.parametrize('scale', [3, 300])
def test_every_instruction_set(monkeypatch, instructions, form, scale):
    """Those that this machine has; the widest in place of those it has not."""
    monkeypatch.setattr(native, '_INSTRUCTIONS', instructions)
    student, teacher = torch.randn(2, 20, 21) * scale
    actual = tau_and_grad(student, teacher, None, 'native', form)
    expected = tau_and_grad(student.double(), teacher.double(), None, 'reference', form)
    for computed, exact in zip(actual, expected, strict=True):
        torch.testing.assert_close(computed.double(), exact, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ('dtype', 'surrogate', 'message'),
    [(torch.float64, 'tanh', 'float64; use'), (torch.float32, 'erf', "not 'erf'; use")],
)
def test_what_it_cannot_compute_is_refused(dtype, surrogate, message):
    logits = torch.zeros(2, 3, dtype=dtype)
    with pytest.raises(ValueError, match=f"backend='native' cannot .* {message}"):
        kendall_tau(logits, logits, surrogate=surrogate, backend='native')


def test_a_module_that_is_missing_is_an_error_for_who_asks_for_it(monkeypatch):
    monkeypatch.setattr(native, '_native', None)
    monkeypatch.setattr(native, '_MISSING', 'it is missing; install', raising=False)
    student, teacher = torch.randn(2, 4, 5)
    with pytest.raises(ValueError, match="backend='native' cannot .* missing; install"):
        kendall_tau(student, teacher, backend='native')
    computed = kendall_tau(student, teacher)
    assert torch.equal(computed, kendall_tau(student, teacher, backend='chunked'))
