"""Turn logits (N, C) into transposed float32 values, with flags for the rows."""

import triton
import triton.language as tl


@triton.jit
def _row_range(
    x, stride_n, stride_c, mask, n, rows, columns, MASKED: tl.constexpr, BLOCK: tl.constexpr
):
    """Return lowest and highest valid logit of each row, and 0, or NaN if one is not finite."""
    low = tl.full(n.shape, float('inf'), tl.float32)
    high = tl.full(n.shape, float('-inf'), tl.float32)
    broken = tl.zeros(n.shape, tl.float32)
    for start in range(0, columns, BLOCK):
        c = start + tl.arange(0, BLOCK)
        use = (n[:, None] < rows) & (c[None, :] < columns)
        if MASKED:
            use &= tl.load(mask + n[:, None] * columns + c[None, :], mask=use, other=0) != 0
        cells = n[:, None] * stride_n + c[None, :].to(tl.int64) * stride_c
        value = tl.load(x + cells, mask=use, other=0.0).to(tl.float32)
        broken += tl.sum(value * 0.0, 1)
        low = tl.minimum(low, tl.min(tl.where(use, value, float('inf')), 1))
        high = tl.maximum(high, tl.max(tl.where(use, value, float('-inf')), 1))
    empty = low > high
    return tl.where(empty, 0.0, low), tl.where(empty, 0.0, high), broken


@triton.jit
def _write_values(
    x,
    stride_n,
    stride_c,
    mask,
    to,
    n,
    rows,
    columns,
    k,
    low,
    high,
    narrow,
    MASKED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write exp(2 k (x - mid-range)) if narrow, else x; masked cells get a valid cell's value."""
    middle = (low.to(tl.float64) + high.to(tl.float64)) * 0.5
    for start in range(0, columns, BLOCK):
        c = start + tl.arange(0, BLOCK)
        inside = (n[:, None] < rows) & (c[None, :] < columns)
        use = inside
        if MASKED:
            use &= tl.load(mask + n[:, None] * columns + c[None, :], mask=use, other=0) != 0
        cells = n[:, None] * stride_n + c[None, :].to(tl.int64) * stride_c
        value = tl.load(x + cells, mask=use, other=0.0).to(tl.float32)
        value = tl.where(use, value, low[:, None])
        # In float64, and split at an integer: near-ties need the ratio of two exponentials to be
        # exact to the last bits of float32.
        y = (value.to(tl.float64) - middle[:, None]) * (k * 2.8853900817779268)
        whole = tl.floor(y + 0.5)
        power = tl.exp2((y - whole).to(tl.float32)) * tl.exp2(whole.to(tl.float32))
        value = tl.where(narrow, power, value)
        tl.store(to + c[None, :].to(tl.int64) * rows + n[:, None], value, mask=inside)


@triton.jit
def prepare(
    student,
    student_n,
    student_c,
    teacher,
    teacher_n,
    teacher_c,
    mask,
    rows,
    columns,
    k,
    largest_range,
    student_values,
    teacher_values,
    valid,
    is_narrow,
    broken,
    EXPONENTIALS: tl.constexpr,
    MASKED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Write the values (C, N) of both sides, a flag for each block of rows, and broken (N,).

    If MASKED, also 1 for every valid and 0 for every other cell, (C, N).
    """
    n = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    low_s, high_s, broken_s = _row_range(
        student, student_n, student_c, mask, n, rows, columns, MASKED, BLOCK_C
    )
    low_t, high_t, broken_t = _row_range(
        teacher, teacher_n, teacher_c, mask, n, rows, columns, MASKED, BLOCK_C
    )
    tl.store(broken + n, broken_s + broken_t, mask=n < rows)
    narrow = False
    if EXPONENTIALS:
        # False where a range is NaN.
        fits = (k * (high_s - low_s) <= largest_range) & (k * (high_t - low_t) <= largest_range)
        fits &= broken_s + broken_t == 0
        narrow = tl.min(fits.to(tl.int32), 0) == 1
    tl.store(is_narrow + tl.program_id(0), narrow)
    _write_values(
        student,
        student_n,
        student_c,
        mask,
        student_values,
        n,
        rows,
        columns,
        k,
        low_s,
        high_s,
        narrow,
        MASKED,
        BLOCK_C,
    )
    _write_values(
        teacher,
        teacher_n,
        teacher_c,
        mask,
        teacher_values,
        n,
        rows,
        columns,
        k,
        low_t,
        high_t,
        narrow,
        MASKED,
        BLOCK_C,
    )
    if MASKED:
        for start in range(0, columns, BLOCK_C):
            c = start + tl.arange(0, BLOCK_C)
            inside = (n[:, None] < rows) & (c[None, :] < columns)
            use = tl.load(mask + n[:, None] * columns + c[None, :], mask=inside, other=0)
            cells = c[None, :].to(tl.int64) * rows + n[:, None]
            tl.store(valid + cells, (use != 0).to(tl.float32), mask=inside)
