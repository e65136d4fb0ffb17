"""Sums into rows (N,) and derivatives (N, C)."""

import triton
import triton.language as tl


@triton.jit
def _sum_parts(parts, count, n, rows):
    total = tl.zeros(n.shape, tl.float32)
    for _part in range(count):
        total += tl.load(parts + n, mask=n < rows, other=0.0)
        parts += rows
    return total


@triton.jit
def finish(
    s,
    is_narrow,
    broken,
    rows,
    columns,
    k,
    count,
    ab_parts,
    aa_parts,
    bb_parts,
    sums_ab,
    sums_aa,
    ab,
    aa,
    bb,
    grad_ab,
    grad_aa,
    EXPONENTIALS: tl.constexpr,
    NORMS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Write the sums of rows (N,) from their parts, and derivatives (N, C) from class sums."""
    n = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    if tl.program_id(1) == 0:
        tl.store(
            ab + n,
            _sum_parts(ab_parts, count, n, rows) + tl.load(broken + n, mask=n < rows, other=0.0),
            mask=n < rows,
        )
        if NORMS:
            tl.store(aa + n, _sum_parts(aa_parts, count, n, rows), mask=n < rows)
            tl.store(bb + n, _sum_parts(bb_parts, count, n, rows), mask=n < rows)
    inside = (c[:, None] < columns) & (n[None, :] < rows)
    at = c[:, None].to(tl.int64) * rows + n[None, :]
    to = n[None, :] * columns + c[:, None]
    factor = tl.full((BLOCK_C, BLOCK_N), 1.0, tl.float32) * k
    # Nested: the inner condition is known on the device alone.
    if EXPONENTIALS:  # noqa: SIM102
        if tl.load(is_narrow + tl.program_id(0)) != 0:
            factor *= 4.0 * tl.load(s + at, mask=inside, other=0.0)
    tl.store(grad_ab + to, factor * tl.load(sums_ab + at, mask=inside, other=0.0), mask=inside)
    if NORMS:
        value = tl.load(sums_aa + at, mask=inside, other=0.0)
        tl.store(grad_aa + to, 2.0 * factor * value, mask=inside)
