"""The terms that pairs add to the sums: a block of classes i against a run of classes j."""

import triton
import triton.language as tl

from mmdet_kdrank.ops.backends.triton.phi import phi, reciprocal


@triton.jit
def _terms(
    si,
    ti,
    sj,
    tj,
    weight,
    k,
    EXPONENTIALS: tl.constexpr,
    PHI_S: tl.constexpr,
    PHI_T: tl.constexpr,
    NORMS: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """Return ab, aa, bb of pairs, and the derivatives of ab and aa up to a factor.

    The kernel `finish` multiplies by that factor. With EXPONENTIALS, ab is u: the caller multiplies
    it by p_i or p_i - p_j, and the derivatives by the exponential of the other class.
    """
    if EXPONENTIALS:
        total = si + sj
        other = ti + tj
        r = reciprocal(total * other)
        ab = (ti - tj) * r
        if WEIGHTED:
            ab *= weight
        inverse = r * other
        gab = ab * inverse
        aa, bb, gaa = ab, ab, ab
        if NORMS:
            a, b = (si - sj) * inverse, ab * total
            if WEIGHTED:
                a *= weight
            aa, bb, gaa = a * a, b * b, a * inverse * inverse
    else:
        a, slope = phi(si - sj, k, PHI_S)
        b, _ = phi(ti - tj, k, PHI_T)
        if WEIGHTED:
            a *= weight
            b *= weight
        ab, gab = a * b, slope * b
        aa, bb, gaa = a * a, b * b, slope * a
    return ab, aa, bb, gab, gaa


@triton.jit
def run_over_j(
    first,
    last,
    inputs,
    outputs,
    block,
    sums,
    EXPONENTIALS: tl.constexpr,
    PHI_S: tl.constexpr,
    PHI_T: tl.constexpr,
    NORMS: tl.constexpr,
    MASKED: tl.constexpr,
    HALF: tl.constexpr,
    DIAGONAL: tl.constexpr,
):
    """Add pairs of a block of classes i with j in [first, last) to its sums.

    If HALF, also to those of j, in memory; if DIAGONAL, only pairs with i < j.
    """
    s, t, valid, n, rows, k = inputs
    grad_ab, grad_aa = outputs
    i_first, i, si, ti, vi = block
    ab, aa, bb, gab, gaa = sums
    at = (tl.zeros_like(n) + first) * rows + n
    row = n < rows
    for j in range(first, last):
        sj = tl.load(s + at, mask=row, other=1.0)[None, :]
        tj = tl.load(t + at, mask=row, other=1.0)[None, :]
        weight = 1.0
        if MASKED:
            weight = vi * tl.load(valid + at, mask=row, other=0.0)[None, :]
        if DIAGONAL:
            weight = tl.where(i[:, None] < j, weight, 0.0)
        ab_ij, aa_ij, bb_ij, gab_ij, gaa_ij = _terms(
            si, ti, sj, tj, weight, k, EXPONENTIALS, PHI_S, PHI_T, NORMS, MASKED or DIAGONAL
        )
        if EXPONENTIALS and HALF:
            ab += (si - sj) * ab_ij
        else:
            ab += ab_ij
        if EXPONENTIALS:
            gab += sj * gab_ij
        else:
            gab += gab_ij
        if NORMS:
            aa += aa_ij
            bb += bb_ij
            if EXPONENTIALS:
                gaa += sj * gaa_ij
            else:
                gaa += gaa_ij
        if HALF:
            if EXPONENTIALS:
                gab_ij *= si
                gaa_ij *= si
            # The first block of i visits every j > 0, and finds nothing there.
            started = row & (i_first > 0)
            old = tl.load(grad_ab + at, mask=started, other=0.0)
            tl.store(grad_ab + at, old - tl.sum(gab_ij, 0), mask=row)
            if NORMS:
                old = tl.load(grad_aa + at, mask=started, other=0.0)
                tl.store(grad_aa + at, old - tl.sum(gaa_ij, 0), mask=row)
        at += rows
    return ab, aa, bb, gab, gaa
