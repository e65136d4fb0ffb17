"""What a backend is asked for and what it returns."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

PRODUCT = 'product'
"""In place of the teacher's surrogate: one surrogate for the product of both differences."""


class PairRequest(NamedTuple):
    """The pair sums that a caller wants.

    Attributes:
        phi_student: Name of the surrogate on the student's differences.
        phi_teacher: Name of the surrogate on the teacher's differences. :data:`PRODUCT`: none, and
            ``phi_student`` is taken of ``k`` times the product of both differences.
        steepness: ``k``, the factor on every difference.
        norms: Whether the sums of squares are wanted too.
        grad: Whether the derivatives are wanted too.
    """

    phi_student: str
    phi_teacher: str
    steepness: float
    norms: bool
    grad: bool


class PairSums(NamedTuple):
    """Sums over the unordered pairs i < j of valid columns, for each row.

    Here ``a_ij = phi_student(k (s_i - s_j))`` and ``b_ij = phi_teacher(k (t_i - t_j))``. Sums that
    were not requested may be None. All are float32, or float64 where an input is.

    Attributes:
        ab: Sum of ``a_ij b_ij``, or of ``phi_student(k (s_i - s_j) (t_i - t_j))`` for
            :data:`PRODUCT`, shape (N,). NaN where a valid column of the row is not finite.
        aa: Sum of ``a_ij^2``, shape (N,).
        bb: Sum of ``b_ij^2``, shape (N,).
        grad_ab: Derivative of ``ab`` in the student, shape (N, C); zero where masked, and
            meaningless where ``ab`` is NaN.
        grad_aa: Derivative of ``aa`` in the student, likewise.
    """

    ab: Tensor
    aa: Tensor | None = None
    bb: Tensor | None = None
    grad_ab: Tensor | None = None
    grad_aa: Tensor | None = None


class Backend(NamedTuple):
    """One way to compute :class:`PairSums`.

    Attributes:
        pair_sums: ``(student, teacher, mask, request) -> PairSums``. ``student`` and ``teacher``
            are (N, C) on one device, of any floating dtype and stride; ``mask`` is (N, C) bool or
            None, and cells outside it may hold any value. It runs without autograd, and must
            neither write to its inputs nor return a view of them.
        refusal: ``(student, teacher, request) -> str | None``: None where the backend can compute
            the call, else why it cannot, and the fix.
    """

    pair_sums: Callable[[Tensor, Tensor, Tensor | None, PairRequest], PairSums]
    refusal: Callable[[Tensor, Tensor, PairRequest], str | None]


def sum_dtype(student: Tensor, teacher: Tensor) -> torch.dtype:
    """Return the dtype that sums are computed in: float64 if an input has it, else float32."""
    return torch.promote_types(torch.promote_types(student.dtype, teacher.dtype), torch.float32)


def clean_logits(logits: Tensor, mask: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Return the logits in ``dtype``, with zeros where masked; possibly the input itself."""
    logits = logits.to(dtype)
    return logits if mask is None else logits.masked_fill(~mask, 0)


def non_finite_rows(student: Tensor, teacher: Tensor) -> Tensor:
    """Return 0 for each row of finite logits and NaN for the others, shape (N,).

    Backends add it to ``ab``. The sign of NaN is 0 in torch and phi(inf) is 1, so without it a row
    that is not finite would look finite. ``0 * x`` is NaN for both.
    """
    return (student * 0 + teacher * 0).sum(1)
