"""Compiled by Triton for CUDA: rows across lanes, classes in a loop, O(N C) memory.

A program holds 32 rows, one per lane, of BLOCK_I classes i, one per register, and runs over the
classes j. No sum runs across lanes, and a number loaded for class j serves BLOCK_I pairs. No other
program writes where it writes, so nothing is atomic and the result does not depend on the schedule.
The scratch is transposed, (C, N), so that neighbouring lanes load neighbouring addresses:

    prepare   (N, C) logits of any dtype and stride -> float32 values (C, N), exponentials if the
              range of all rows of a block permits, and flags for the rows
    pairs     values -> sums over j for every class, and the parts of each row's sums
    finish    sums for every class (C, N) -> derivatives (N, C), parts -> sums of rows (N,)
"""

from mmdet_kdrank.ops.backends.triton.grid import BACKEND

__all__ = ['BACKEND']
