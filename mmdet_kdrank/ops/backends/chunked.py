"""Bounded memory on any device: pairs are evaluated tile by tile in a scratch of fixed size.

Only the upper triangle is visited. It is cut into bands of ``_BAND`` classes i; a band's tile holds
the columns j from the band's first class on, for as many rows as fit. Pairs within the band appear
in both orders; those right of it in one, and their mirror images, a_ji = -a_ij, are added from the
same tile.
"""

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends.base import PairRequest, PairSums

# Elements of one scratch buffer, of which there are four. On a CPU they stay in a core's caches, on
# an accelerator they are large enough to hide the launch of a kernel.
_SCRATCH_CPU = 1 << 17
_SCRATCH_ACCELERATOR = 1 << 22

# Narrow bands visit fewer pairs twice: a share 16/C of them, against more and shorter operations.
_BAND = 16


def scratch_elements(device: torch.device) -> int:
    """Elements of the largest intermediate beside tensors of the input's own shape."""
    return _SCRATCH_CPU if device.type == 'cpu' else _SCRATCH_ACCELERATOR


def _tile_shape(num_classes: int, budget: int) -> tuple[int, int, int]:
    """Rows, band and columns of a tile of at most ``budget`` pairs."""
    columns = min(num_classes, budget)
    band = min(_BAND, num_classes, budget // columns)
    return budget // (band * columns), band, columns


def pair_sums(
    student: Tensor, teacher: Tensor, mask: Tensor | None, request: PairRequest
) -> PairSums:
    """Computes the pair sums in O(N C) memory.

    Args:
        student: Logits, shape (N, C).
        teacher: Logits, shape (N, C).
        mask: Valid columns, shape (N, C), or None.
        request: Which sums, of which surrogates.

    Returns:
        The sums over unordered pairs.
    """
    num_rows, num_classes = student.shape
    budget = scratch_elements(student.device)
    step, band, columns = _tile_shape(num_classes, budget)
    size = min(budget, min(step, num_rows) * band * columns)
    scratch = [student.new_empty(size) for _ in range(4)]
    valid = None if mask is None else mask.to(student.dtype)

    # One slot each for ab, aa and bb; ordered pairs, hence halved at the end.
    sums = student.new_zeros(3 if request.norms else 1, num_rows)
    # One slot each for the derivatives of ab and aa.
    grads = student.new_zeros((2 if request.norms else 1) if request.grad else 0, *student.shape)
    for r in range(0, num_rows, step):
        rows = slice(r, min(r + step, num_rows))
        for i in range(0, num_classes, band):
            ii = slice(i, min(i + band, num_classes))
            for j in range(i, num_classes, columns):
                jj = slice(j, min(j + columns, num_classes))
                _add_tile(
                    student[rows],
                    teacher[rows],
                    None if valid is None else valid[rows],
                    request,
                    ii,
                    jj,
                    scratch,
                    sums[:, rows],
                    grads[:, rows],
                )
    sums /= 2
    grads *= request.steepness
    if request.norms and request.grad:
        grads[1] *= 2
    aa, bb = (sums[1], sums[2]) if request.norms else (None, None)
    grad_ab = grads[0] if request.grad else None
    grad_aa = grads[1] if request.grad and request.norms else None
    return PairSums(sums[0], aa, bb, grad_ab, grad_aa)


def _add_tile(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None,
    request: PairRequest,
    ii: slice,
    jj: slice,
    scratch: list[Tensor],
    sums: Tensor,
    grads: Tensor,
) -> None:
    """Adds the pairs (ii, jj), and the mirror images of those right of the band, to the sums."""
    shape = (student.shape[0], ii.stop - ii.start, jj.stop - jj.start)
    numel = shape[0] * shape[1] * shape[2]
    a, b, slope, work = (buffer[:numel].view(shape) for buffer in scratch)
    # Columns of this tile that lie right of the band.
    right = slice(max(ii.stop - jj.start, 0), shape[2])

    # The difference first: k s_i - k s_j would lose near-ties to the rounding of its terms.
    torch.sub(student[:, ii, None], student[:, None, jj], out=a)
    torch.sub(teacher[:, ii, None], teacher[:, None, jj], out=b)
    if request.steepness != 1:
        a.mul_(request.steepness)
        b.mul_(request.steepness)
    request.phi_student(a, slope, request.grad)
    request.phi_teacher(b, work, False)
    if valid is not None:
        torch.mul(valid[:, ii, None], valid[:, None, jj], out=work)
        a.mul_(work)
        b.mul_(work)

    def add_sum(slot: int, product: Tensor) -> None:
        by_column = product.sum(1)
        sums[slot].add_(by_column.sum(1)).add_(by_column[:, right].sum(1))

    def add_grad(slot: int, product: Tensor) -> None:
        grads[slot, :, ii].add_(product.sum(2))
        grads[slot, :, jj][:, right].sub_(product[:, :, right].sum(1))

    if request.norms:
        add_sum(1, torch.mul(a, a, out=work))
        add_sum(2, torch.mul(b, b, out=work))
        if request.grad:
            add_grad(1, torch.mul(slope, a, out=work))
    if request.grad:
        add_grad(0, slope.mul_(b))
    add_sum(0, a.mul_(b))
