"""Bounded memory on any device: pairs are evaluated tile by tile in a scratch of fixed size.

Only the upper triangle is visited. It is cut into bands of ``_BAND`` classes i. A band's tile holds
the columns j from the band's first class on, for as many rows as fit. On a CPU, a block of rows
with a moderate range of logits needs one exponential per logit, not one tanh per pair.
"""

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
from mmdet_kdrank.ops.backends.tiles import (
    LARGEST_RANGE,
    SCRATCH_BUFFERS,
    Tile,
    add_exponentials,
    add_products,
    add_surrogates,
    exponentials,
)

# Elements of one scratch buffer. More would not fit into a CPU's caches; with fewer, starting the
# operations would take most of the time.
_SCRATCH_CPU = 1 << 18
_SCRATCH_ACCELERATOR = 1 << 22

# A narrow band visits fewer pairs twice (a share of 16/C), but needs more and shorter operations.
_BAND = 16


def scratch_elements(device: torch.device) -> int:
    """Return the elements of the largest intermediate, apart from those of the input's shape."""
    return _SCRATCH_CPU if device.type == 'cpu' else _SCRATCH_ACCELERATOR


def _tile_shape(num_classes: int, budget: int) -> tuple[int, int, int]:
    """Return rows, band and columns of a tile of at most ``budget`` pairs."""
    columns = min(num_classes, budget)
    band = min(_BAND, num_classes, budget // columns)
    return budget // (band * columns), band, columns


def _narrow_rows(logits: Tensor, steepness: float) -> Tensor:
    """Return the rows whose exponentials do not overflow, bool (N,); False if not finite."""
    return steepness * (logits.amax(1) - logits.amin(1)) <= LARGEST_RANGE


def pair_sums(
    student: Tensor, teacher: Tensor, mask: Tensor | None, request: PairRequest
) -> PairSums:
    """Compute the pair sums in O(N C) memory, as :class:`Backend` asks for."""
    dtype = sum_dtype(student, teacher)
    student, teacher = clean_logits(student, mask, dtype), clean_logits(teacher, mask, dtype)
    num_rows, num_classes = student.shape
    budget = scratch_elements(student.device)
    step, band, columns = _tile_shape(num_classes, budget)
    size = min(budget, min(step, num_rows) * band * columns)
    scratch = [student.new_empty(size) for _ in range(SCRATCH_BUFFERS)]
    valid = None if mask is None else mask.to(dtype)

    # On the CPU alone: on another device, reading the range would wait for the device.
    use_exponentials = (
        (request.phi_student, request.phi_teacher) == ('tanh', 'tanh')
        and student.device.type == 'cpu'
        and num_rows > 0
    )
    if use_exponentials:
        k = request.steepness
        narrow = _narrow_rows(student, k) & _narrow_rows(teacher, k)

    # One slot each for ab, aa and bb. They count ordered pairs, so they are halved at the end.
    sums = student.new_zeros(3 if request.norms else 1, num_rows)
    # One slot each for the derivatives of ab and aa.
    grads = student.new_zeros((2 if request.norms else 1) if request.grad else 0, *student.shape)
    for r in range(0, num_rows, step):
        rows = slice(r, min(r + step, num_rows))
        x, y, factor = student[rows], teacher[rows], request.steepness
        add_tile = add_products if request.phi_teacher == PRODUCT else add_surrogates
        if use_exponentials and narrow[rows].all():
            x, y = exponentials(x, request.steepness), exponentials(y, request.steepness)
            add_tile, factor = add_exponentials, 4 * request.steepness * x
        for i in range(0, num_classes, band):
            ii = slice(i, min(i + band, num_classes))
            for j in range(i, num_classes, columns):
                jj = slice(j, min(j + columns, num_classes))
                mask_rows = None if valid is None else valid[rows]
                tile = Tile(x, y, mask_rows, ii, jj, scratch, sums[:, rows], grads[:, rows])
                add_tile(tile, request)
        grads[:, rows] *= factor
    sums /= 2
    if request.norms and request.grad:
        grads[1] *= 2
    ab = sums[0] + non_finite_rows(student, teacher)
    aa, bb = (sums[1], sums[2]) if request.norms else (None, None)
    grad_ab = grads[0] if request.grad else None
    grad_aa = grads[1] if request.grad and request.norms else None
    return PairSums(ab, aa, bb, grad_ab, grad_aa)


BACKEND = Backend(pair_sums, refusal=lambda student, teacher, request: None)
