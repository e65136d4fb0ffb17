"""The sums over pairs, for every class and row."""

import triton
import triton.language as tl

from mmdet_kdrank.ops.backends.triton.blocks import run_over_j


@triton.jit
def _pairs(
    s,
    t,
    valid,
    rows,
    columns,
    k,
    ab_parts,
    aa_parts,
    bb_parts,
    grad_ab,
    grad_aa,
    EXPONENTIALS: tl.constexpr,
    PHI_S: tl.constexpr,
    PHI_T: tl.constexpr,
    NORMS: tl.constexpr,
    MASKED: tl.constexpr,
    HALF: tl.constexpr,
    BLOCK_I: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """See :func:`pairs`."""
    n = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    inputs, outputs = (s, t, valid, n, rows, k), (grad_ab, grad_aa)
    part = tl.program_id(1)
    row_ab = tl.zeros((BLOCK_N,), tl.float32)
    row_aa = tl.zeros((BLOCK_N,), tl.float32)
    row_bb = tl.zeros((BLOCK_N,), tl.float32)
    start, stop = part * BLOCK_I, (part + 1) * BLOCK_I
    if HALF:
        start, stop = 0, columns
    for i_first in range(start, stop, BLOCK_I):
        i = i_first + tl.arange(0, BLOCK_I)
        at = i[:, None].to(tl.int64) * rows + n[None, :]
        inside = (i[:, None] < columns) & (n[None, :] < rows)
        si = tl.load(s + at, mask=inside, other=1.0)
        ti = tl.load(t + at, mask=inside, other=1.0)
        vi = 1.0
        if MASKED:
            vi = tl.load(valid + at, mask=inside, other=0.0)
        block = (i_first, i, si, ti, vi)
        zero = tl.zeros((BLOCK_I, BLOCK_N), tl.float32)
        sums = (zero, zero, zero, zero, zero)
        if HALF:
            # Other threads of this program wrote these for earlier blocks.
            tl.debug_barrier()
            edge = tl.minimum(i_first + BLOCK_I, columns)
            sums = run_over_j(
                *(i_first + 1, edge, inputs, outputs, block, sums),
                *(EXPONENTIALS, PHI_S, PHI_T, NORMS, MASKED, True, True),
            )
            ab, aa, bb, gab, gaa = run_over_j(
                *(edge, columns, inputs, outputs, block, sums),
                *(EXPONENTIALS, PHI_S, PHI_T, NORMS, MASKED, True, False),
            )
            tl.debug_barrier()
            written = inside & (i[:, None] > 0)
            gab += tl.load(grad_ab + at, mask=written, other=0.0)
            if NORMS:
                gaa += tl.load(grad_aa + at, mask=written, other=0.0)
        else:
            ab, aa, bb, gab, gaa = run_over_j(
                *(0, columns, inputs, outputs, block, sums),
                *(EXPONENTIALS, PHI_S, PHI_T, NORMS, MASKED, False, False),
            )
            if EXPONENTIALS:
                ab *= si
            else:
                ab *= 0.5
            aa *= 0.5
            bb *= 0.5
        tl.store(grad_ab + at, gab, mask=inside)
        row_ab += tl.sum(tl.where(inside, ab, 0.0), 0)
        if NORMS:
            tl.store(grad_aa + at, gaa, mask=inside)
            row_aa += tl.sum(tl.where(inside, aa, 0.0), 0)
            row_bb += tl.sum(tl.where(inside, bb, 0.0), 0)
    to = part.to(tl.int64) * rows + n
    tl.store(ab_parts + to, row_ab, mask=n < rows)
    if NORMS:
        tl.store(aa_parts + to, row_aa, mask=n < rows)
        tl.store(bb_parts + to, row_bb, mask=n < rows)


@triton.jit
def pairs(
    s,
    t,
    valid,
    is_narrow,
    rows,
    columns,
    k,
    ab_parts,
    aa_parts,
    bb_parts,
    grad_ab,
    grad_aa,
    EXPONENTIALS: tl.constexpr,
    PHI_S: tl.constexpr,
    PHI_T: tl.constexpr,
    NORMS: tl.constexpr,
    MASKED: tl.constexpr,
    HALF: tl.constexpr,
    BLOCK_I: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """Sum over pairs: for every class (C, N), and parts (programs along axis 1, N) for every row.

    With HALF, one program handles all classes of its rows, and each pair once. Otherwise a program
    handles BLOCK_I classes against all, so that there are enough programs for few rows.
    """
    narrow = False
    if EXPONENTIALS:
        narrow = tl.load(is_narrow + tl.program_id(0)) != 0
    if narrow:
        _pairs(
            *(s, t, valid, rows, columns, k, ab_parts, aa_parts, bb_parts, grad_ab, grad_aa),
            *(EXPONENTIALS, PHI_S, PHI_T, NORMS, MASKED, HALF, BLOCK_I, BLOCK_N),
        )
    else:
        _pairs(
            *(s, t, valid, rows, columns, k, ab_parts, aa_parts, bb_parts, grad_ab, grad_aa),
            *(False, PHI_S, PHI_T, NORMS, MASKED, HALF, BLOCK_I, BLOCK_N),
        )
