"""What a backend is asked for and what it returns."""

from typing import NamedTuple, Protocol

from torch import Tensor

from mmdet_kdrank.ops.surrogates import Surrogate


class PairRequest(NamedTuple):
    """The pair sums that a caller wants.

    Attributes:
        phi_student: Surrogate on the student's differences.
        phi_teacher: Surrogate on the teacher's differences.
        steepness: ``k``, the factor on every difference.
        norms: Whether the sums of squares are wanted too.
        grad: Whether the derivatives are wanted too.
    """

    phi_student: Surrogate
    phi_teacher: Surrogate
    steepness: float
    norms: bool
    grad: bool


class PairSums(NamedTuple):
    """Sums over the unordered pairs i < j of valid columns, for each row.

    With ``a_ij = phi_student(k (s_i - s_j))`` and ``b_ij = phi_teacher(k (t_i - t_j))``. What was
    not requested is None.

    Attributes:
        ab: Sum of ``a_ij b_ij``, shape (N,).
        aa: Sum of ``a_ij^2``, shape (N,).
        bb: Sum of ``b_ij^2``, shape (N,).
        grad_ab: Derivative of ``ab`` in the student, shape (N, C).
        grad_aa: Derivative of ``aa`` in the student, shape (N, C).
    """

    ab: Tensor
    aa: Tensor | None = None
    bb: Tensor | None = None
    grad_ab: Tensor | None = None
    grad_aa: Tensor | None = None


class Backend(Protocol):
    """A function that computes :class:`PairSums`.

    ``student`` and ``teacher`` are (N, C), of one floating dtype on one device and possibly not
    contiguous; ``mask`` is (N, C) bool or None, and cells outside it hold zeros. It runs without
    autograd, and must neither write to its inputs nor return a view of them.
    """

    def __call__(
        self, student: Tensor, teacher: Tensor, mask: Tensor | None, request: PairRequest
    ) -> PairSums:
        """Computes what ``request`` names."""
        ...
