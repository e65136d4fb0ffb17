"""Candidates by name, and the call that is measured: forward and backward on fixed logits."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.candidates.formulas import plain, soft_spearman, triu
from mmdet_kdrank.ops import BACKENDS, kendall_tau

Tau = Callable[[Tensor, Tensor, str], Tensor]

# One (rows, C, C) tensor of a candidate that holds all pairs; it holds several at once.
_PAIRS_BYTES = 1 << 29


class Candidate(NamedTuple):
    """A way to compute the coefficient.

    Attributes:
        prepare: Returns ``(student, teacher, form) -> tau``, shape (N,).
        holds_pairs: Whether it holds N C^2 values, so that it is called on slices of rows.
        compiles: Whether it compiles for each shape.
    """

    prepare: Callable[[], Tau]
    holds_pairs: bool = True
    compiles: bool = False


def _backend(name: str) -> Tau:
    return lambda student, teacher, form: kendall_tau(student, teacher, backend=name, form=form)


def _compiled() -> Tau:
    # Beyond a few shapes of one function torch.compile falls back to the interpreter, silently.
    torch._dynamo.reset()
    return torch.compile(plain, dynamic=False)


CANDIDATES: dict[str, Candidate] = {
    **{
        name: Candidate(partial(_backend, name), holds_pairs=name == 'reference')
        for name in BACKENDS
    },
    'plain autograd': Candidate(lambda: plain),
    'torch.compile': Candidate(_compiled, compiles=True),
    'triu indices': Candidate(lambda: triu),
    'torchsort': Candidate(lambda: soft_spearman, holds_pairs=False),
}


def _candidate(name: str) -> Candidate:
    if name not in CANDIDATES:
        raise ValueError(f'candidate {name!r} is unknown; choose one of {", ".join(CANDIDATES)}.')
    return CANDIDATES[name]


def inputs(n: int, c: int, device: str, scale: float = 3.0) -> tuple[Tensor, Tensor]:
    """Random logits, the same in every process.

    Args:
        n: Rows.
        c: Classes.
        device: Where.
        scale: Standard deviation of the logits.

    Returns:
        Student, which requires a gradient, and teacher, each (N, C).

    Raises:
        ValueError: If C is 1.
    """
    if c < 2:
        raise ValueError(f'C = {c}: a ranking needs at least 2 classes.')
    generator = torch.Generator().manual_seed(0)
    student, teacher = (scale * torch.randn(2, n, c, generator=generator)).to(device)
    return student.requires_grad_(), teacher


def forward_backward(
    name: str, n: int, c: int, form: str, device: str, scale: float = 3.0
) -> Callable[[], Tensor]:
    """Prepare the measured call: the loss, mean of 1 - tau, and its gradient.

    Args:
        name: A key of ``CANDIDATES``.
        n: Rows.
        c: Classes.
        form: ``'kendall'`` or ``'cosine'``.
        device: Where.
        scale: Standard deviation of the logits.

    Returns:
        A call that returns the gradient, (N, C).

    Raises:
        ValueError: If the name is unknown, or C is 1.
    """
    candidate = _candidate(name)
    tau = candidate.prepare()
    student, teacher = inputs(n, c, device, scale)

    def call(rows: slice = slice(None)) -> Tensor:
        part = student[rows]
        loss = (1 - tau(part, teacher[rows], form)).sum() / n
        return torch.autograd.grad(loss, part)[0]

    step = max(1, _PAIRS_BYTES // (4 * c * c))
    if not candidate.holds_pairs or n <= step:
        return call

    def in_slices() -> Tensor:
        grad = torch.empty_like(teacher)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            grad[rows] = call(rows)
        return grad

    return in_slices


@cache
def refusal(name: str, device: str, form: str) -> str:
    """Says why a candidate cannot run here.

    Args:
        name: A key of ``CANDIDATES``.
        device: Where.
        form: ``'kendall'`` or ``'cosine'``.

    Returns:
        The reason, on one line; empty if it runs.

    Raises:
        ValueError: If the name is unknown.
    """
    _candidate(name)
    try:
        forward_backward(name, 4, 5, form, device)()
    except (ImportError, RuntimeError, ValueError) as error:
        return f'{type(error).__name__}: {error}'.splitlines()[0]
    return ''
