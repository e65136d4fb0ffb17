"""What a tile of pairs adds to the sums, evaluated with torch's element-wise operations.

A tile is a band of classes i against a range of classes j >= the band's first, for some rows. Pairs
within the band appear in both orders. Pairs right of the band appear in one order; their mirror
images, a_ji = -a_ij, are added from the same numbers. So sums over the tile count every unordered
pair twice.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends.base import PairRequest
from mmdet_kdrank.ops.surrogates import SURROGATES

# Largest k (max - min) on each side for which the exponentials do not overflow. Products of both
# sides' exponentials, their squares and reciprocals reach e^80, and float32 ends at e^88.
LARGEST_RANGE = 40.0

SCRATCH_BUFFERS = 5


class Tile(NamedTuple):
    """Views of the rows of a tile, and its place.

    Attributes:
        student: Logits, or their exponentials, shape (R, C).
        teacher: Likewise.
        valid: 1 or 0, shape (R, C), or None for all.
        ii: The band.
        jj: The columns.
        scratch: Buffers of the tile's size.
        sums: Where to add twice the sums of ab, aa and bb, shape (1 or 3, R).
        grads: Where to add the derivatives of ab and aa, shape (0, 1 or 2, R, C).
    """

    student: Tensor
    teacher: Tensor
    valid: Tensor | None
    ii: slice
    jj: slice
    scratch: list[Tensor]
    sums: Tensor
    grads: Tensor

    def buffers(self) -> list[Tensor]:
        """Return the scratch, each of shape (R, I, J)."""
        shape = (len(self.student), self.ii.stop - self.ii.start, self.jj.stop - self.jj.start)
        numel = shape[0] * shape[1] * shape[2]
        return [buffer[:numel].view(shape) for buffer in self.scratch]

    def pairs(self, operation: Callable, x: Tensor, out: Tensor) -> Tensor:
        """Apply ``operation`` to all pairs of columns of ``x``."""
        return operation(x[:, self.ii, None], x[:, None, self.jj], out=out)

    def _right(self) -> slice:
        """Return the columns of the tile that lie right of the band."""
        return slice(max(self.ii.stop - self.jj.start, 0), self.jj.stop - self.jj.start)

    def add_sum(self, slot: int, product: Tensor) -> None:
        """Add a tile of terms that are the same for (i, j) and (j, i)."""
        by_column = product.sum(1)
        self.sums[slot].add_(by_column.sum(1)).add_(by_column[:, self._right()].sum(1))

    def add_grad(self, slot: int, by_i: Tensor, by_j: Tensor) -> None:
        """Add a tile of terms of class i, and the tile of class j with the other sign."""
        right = self._right()
        self.grads[slot, :, self.ii].add_(by_i.sum(2))
        self.grads[slot, :, self.jj][:, right].sub_(by_j[:, :, right].sum(1))


def add_surrogates(tile: Tile, request: PairRequest) -> None:
    """Add a tile of logits: a surrogate on each side for every pair."""
    a, b, slope, work, _ = tile.buffers()
    # The difference comes first: in k s_i - k s_j, rounding the terms would merge near-ties.
    tile.pairs(torch.sub, tile.student, a)
    tile.pairs(torch.sub, tile.teacher, b)
    if request.steepness != 1:
        a.mul_(request.steepness)
        b.mul_(request.steepness)
    SURROGATES[request.phi_student](a, slope, request.grad)
    SURROGATES[request.phi_teacher](b, work, False)
    if tile.valid is not None:
        tile.pairs(torch.mul, tile.valid, work)
        a.mul_(work)
        b.mul_(work)

    if request.norms:
        tile.add_sum(1, torch.mul(a, a, out=work))
        tile.add_sum(2, torch.mul(b, b, out=work))
        if request.grad:
            torch.mul(slope, a, out=work)
            tile.add_grad(1, work, work)
    if request.grad:
        slope.mul_(b)
        tile.add_grad(0, slope, slope)
    tile.add_sum(0, a.mul_(b))


def add_products(tile: Tile, request: PairRequest) -> None:
    """Add a tile of logits: one surrogate of the product of both differences for every pair."""
    a, b, slope, work, _ = tile.buffers()
    tile.pairs(torch.sub, tile.student, a)
    tile.pairs(torch.sub, tile.teacher, b)
    SURROGATES[request.phi_student](a.mul_(b).mul_(request.steepness), slope, request.grad)
    if tile.valid is not None:
        tile.pairs(torch.mul, tile.valid, work)
        a.mul_(work)
        b.mul_(work)
    if request.grad:
        slope.mul_(b)
        tile.add_grad(0, slope, slope)
    tile.add_sum(0, a)


def exponentials(logits: Tensor, steepness: float) -> Tensor:
    """Return ``exp(2 k (x - m))`` with the middle m of each row's range.

    The exponent is computed in float64. The ratio of two results is then exact to the last bits of
    their own dtype, which near-ties need.
    """
    middle = (logits.amin(1, keepdim=True).double() + logits.amax(1, keepdim=True)) / 2
    return (logits.double() - middle).mul_(2 * steepness).exp_().to(logits.dtype)


def add_exponentials(tile: Tile, request: PairRequest) -> None:
    """Add a tile of exponentials p, q: tanh on both sides, without computing a tanh.

    With P = p_i + p_j, Q = q_i + q_j and r = 1 / (P Q), the only division of a pair,

        a = (p_i - p_j) / P               b = (q_i - q_j) / Q
        a b = (p_i - p_j) u,              u = (q_i - q_j) r = b / P
        (1 - a^2) b = 4 p_i p_j w,        w = u Q r = b / P^2

    So the derivative of class i is 4 k p_i sum_j p_j w. The caller multiplies by 4 k p_i.
    """
    total, inverse, r, u, work = tile.buffers()
    tile.pairs(torch.add, tile.student, total)
    tile.pairs(torch.add, tile.teacher, inverse)
    torch.mul(total, inverse, out=r).reciprocal_()
    inverse.mul_(r)
    tile.pairs(torch.sub, tile.teacher, u).mul_(r)
    if tile.valid is not None:
        u.mul_(tile.pairs(torch.mul, tile.valid, work))

    if request.norms:
        torch.mul(u, total, out=work)
        tile.add_sum(2, work.mul_(work))
    a = tile.pairs(torch.sub, tile.student, r)
    tile.add_sum(0, torch.mul(a, u, out=work))
    if request.norms:
        a.mul_(inverse)
        if tile.valid is not None:
            a.mul_(tile.pairs(torch.mul, tile.valid, work))
        tile.add_sum(1, torch.mul(a, a, out=work))
    by_i, by_j = tile.student[:, None, tile.jj], tile.student[:, tile.ii, None]
    if request.grad:
        u.mul_(inverse)
        tile.add_grad(0, torch.mul(u, by_i, out=work), torch.mul(u, by_j, out=total))
        if request.norms:
            a.mul_(inverse).mul_(inverse)
            tile.add_grad(1, torch.mul(a, by_i, out=work), torch.mul(a, by_j, out=total))
