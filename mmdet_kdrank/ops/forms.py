"""How pair sums become a coefficient in [-1, 1], with its derivative in the student.

Both forms work on means over the P = n (n - 1) / 2 pairs of the n valid columns of a row, so that
an eps means the same for every number of classes.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends import PairSums

TauAndGrad = tuple[Tensor, Tensor | None]


class Form(NamedTuple):
    """A form of the coefficient.

    Attributes:
        norms: Whether it needs the sums of squares.
        min_columns: Fewest valid columns in a row for which its gradient carries information.
        combine: ``(sums, pairs, eps) -> (tau, grad)``, with ``pairs`` (N,) and at least 1.
    """

    norms: bool
    min_columns: int
    combine: Callable[[PairSums, Tensor, float], TauAndGrad]


def _kendall(sums: PairSums, pairs: Tensor, eps: float) -> TauAndGrad:
    """Tau = mean(a b)."""
    grad = None if sums.grad_ab is None else sums.grad_ab / pairs[:, None]
    return sums.ab / pairs, grad


def _cosine(sums: PairSums, pairs: Tensor, eps: float) -> TauAndGrad:
    """Tau = mean(a b) / D with D = rms(a) rms(b) + eps.

    d tau = (d mean(a b) - tau dD) / D, and dD = rms(b) / (2 rms(a)) d mean(a^2).
    """
    rms_a, rms_b = (sums.aa / pairs).sqrt(), (sums.bb / pairs).sqrt()
    norm = rms_a * rms_b + eps
    tau = sums.ab / pairs / norm
    if sums.grad_ab is None:
        return tau, None
    # Constant student logits: rms(a) = 0 and grad_aa = 0. Their quotient is bounded and is
    # multiplied by tau = 0, so any finite stand-in for 0/0 gives the limit.
    floor = torch.finfo(tau.dtype).tiny ** 0.5
    ratio = tau * rms_b / (2 * rms_a.clamp_min(floor))
    grad = (sums.grad_ab - ratio[:, None] * sums.grad_aa) / (pairs * norm)[:, None]
    return tau, grad


FORMS: dict[str, Form] = {
    'kendall': Form(norms=False, min_columns=2, combine=_kendall),
    # Between two columns the cosine is the constant sgn(a b).
    'cosine': Form(norms=True, min_columns=3, combine=_cosine),
}
