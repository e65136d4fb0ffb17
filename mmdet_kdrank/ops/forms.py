"""How pair sums become a coefficient in [-1, 1], with its derivative in the student.

All forms use means over the P = n (n - 1) / 2 pairs of the n valid columns of a row. So an eps
has the same meaning for every number of classes.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends import PairSums

# tau (N,); a direction (N, C) and a scale (N,) whose product is the derivative of tau in the
# student. They stay separate because backward scales every row by the incoming gradient anyway.
TauAndDerivative = tuple[Tensor, Tensor | None, Tensor]


class Form(NamedTuple):
    """A form of the coefficient.

    Attributes:
        norms: Whether it needs the sums of squares.
        min_columns: Fewest valid columns in a row for which its gradient is not zero.
        combine: ``(sums, pairs, eps) -> (tau, direction, scale)``, with ``pairs`` at least 1, of
            each row (N,) or of all. The scale is NaN where tau is.
        product: Whether one surrogate is taken of the product of both differences.
    """

    norms: bool
    min_columns: int
    combine: Callable[[PairSums, Tensor | float, float], TauAndDerivative]
    product: bool = False


def _kendall(sums: PairSums, pairs: Tensor | float, eps: float) -> TauAndDerivative:
    """Compute tau = mean(a b)."""
    tau = sums.ab / pairs
    return tau, sums.grad_ab, (1 + 0 * tau) / pairs


def _cosine(sums: PairSums, pairs: Tensor | float, eps: float) -> TauAndDerivative:
    """Compute tau = mean(a b) / D with D = rms(a) rms(b) + eps.

    d tau = (d mean(a b) - tau dD) / D, and dD = rms(b) / (2 rms(a)) d mean(a^2).
    """
    rms_a, rms_b = (sums.aa / pairs).sqrt(), (sums.bb / pairs).sqrt()
    norm = rms_a * rms_b + eps
    tau = sums.ab / pairs / norm
    scale = (1 + 0 * tau) / (pairs * norm)
    if sums.grad_ab is None:
        return tau, None, scale
    # For constant student logits rms(a) = 0 and grad_aa = 0. Their quotient is bounded and is
    # multiplied by tau = 0, so any finite value in place of 0/0 gives the limit.
    floor = torch.finfo(tau.dtype).tiny ** 0.5
    ratio = tau * rms_b / (2 * rms_a.clamp_min(floor))
    return tau, torch.addcmul(sums.grad_ab, ratio[:, None], sums.grad_aa, value=-1), scale


FORMS: dict[str, Form] = {
    'kendall': Form(norms=False, min_columns=2, combine=_kendall),
    # With two columns the cosine is the constant sgn(a b).
    'cosine': Form(norms=True, min_columns=3, combine=_cosine),
    'product': Form(norms=False, min_columns=2, combine=_kendall, product=True),
}
