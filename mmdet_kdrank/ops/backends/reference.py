"""The definition, with every pair in memory at once: the oracle of the other backends."""

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends.base import (
    PRODUCT,
    Backend,
    PairRequest,
    PairSums,
    clean_logits,
    non_finite_rows,
    sum_dtype,
)
from mmdet_kdrank.ops.surrogates import SURROGATES


def pair_sums(
    student: Tensor, teacher: Tensor, mask: Tensor | None, request: PairRequest
) -> PairSums:
    """Compute the pair sums from (N, C, C) tensors, as :class:`Backend` asks for.

    All ordered pairs are summed, each unordered one twice; the diagonal adds ``phi(0) = 0``.
    """
    dtype = sum_dtype(student, teacher)
    student, teacher = clean_logits(student, mask, dtype), clean_logits(teacher, mask, dtype)
    a = (student[:, :, None] - student[:, None, :]) * request.steepness
    b = teacher[:, :, None] - teacher[:, None, :]
    slope, unused = torch.empty_like(a), torch.empty_like(b)
    if request.phi_teacher == PRODUCT:
        a *= b
    else:
        SURROGATES[request.phi_teacher](b.mul_(request.steepness), unused, False)
    SURROGATES[request.phi_student](a, slope, request.grad)
    if mask is not None:
        invalid = ~(mask[:, :, None] & mask[:, None, :])
        a.masked_fill_(invalid, 0)
        b.masked_fill_(invalid, 0)

    pairs = a if request.phi_teacher == PRODUCT else a * b
    ab = pairs.sum((1, 2)) / 2 + non_finite_rows(student, teacher)
    aa = bb = grad_ab = grad_aa = None
    if request.norms:
        aa = (a * a).sum((1, 2)) / 2
        bb = (b * b).sum((1, 2)) / 2
    if request.grad:
        # a_ij and a_ji both move with s_i; slope is even and b odd, so that the two halves are
        # equal.
        grad_ab = request.steepness * (slope * b).sum(2)
        if request.norms:
            grad_aa = 2 * request.steepness * (slope * a).sum(2)
    return PairSums(ab, aa, bb, grad_ab, grad_aa)


BACKEND = Backend(pair_sums, refusal=lambda student, teacher, request: None)
