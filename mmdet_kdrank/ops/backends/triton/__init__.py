"""Compiled by Triton for CUDA: rows across lanes, classes in a loop, O(N C) memory.

A program holds 32 rows, one a lane, of BLOCK_I classes i, one a register, and runs over the
classes j. No sum runs across lanes, a number loaded for class j serves BLOCK_I pairs, and every
program owns what it writes: nothing is atomic, and the result does not depend on the schedule. For
loads of neighbouring lanes to be neighbours in memory the scratch is transposed, (C, N):

    prepare   (N, C) logits of any dtype and stride -> float32 values (C, N), exponentials where the
              range of all rows of a block permits, and what is known of each row
    pairs     values -> sums over j for every class, and the parts of each row's sums
    finish    sums for every class (C, N) -> derivatives (N, C), parts -> sums of rows (N,)
"""

from mmdet_kdrank.ops.backends.triton.grid import BACKEND

__all__ = ['BACKEND']
