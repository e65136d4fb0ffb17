"""How far student and teacher agree: what is logged alongside the losses."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet_kdrank.ops import kendall_tau

MAX_ROWS = 1024
"""Most rows that are measured in an iteration; they are evenly spaced, which is cheap at any N."""

MIN_ROWS = 16
MAX_PAIRS = 1 << 28
"""Most ordered pairs: with more than 512 classes, fewer rows are measured."""


@torch.no_grad()
def row_agreement(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Compare how two sets of logits rank the classes, row by row.

    Args:
        student: Student logits, (N, C), C at least 2.
        teacher: Teacher logits, (N, C).

    Returns:
        Hard Kendall tau-a of each row, (N,), in [-1, 1]; whether both rank the same class first,
        (N,), bool.
    """
    tau = kendall_tau(student, teacher, surrogate='sign')
    return tau, student.argmax(1) == teacher.argmax(1)


def agreement(student: Tensor, teacher: Tensor) -> dict[str, Tensor]:
    """Rank agreement of two sets of logits, on :data:`MAX_ROWS` rows or fewer.

    Args:
        student: Student logits, (N, C).
        teacher: Teacher logits, (N, C).

    Returns:
        ``distill_tau``, the mean hard Kendall tau-a, in [-1, 1]. ``distill_top1``, the share of
        rows on which both rank the same class first, in [0, 1]. Empty for N = 0 or C = 1, where
        neither is defined.
    """
    if not len(student) or student.shape[1] < 2:
        return {}
    rows = min(MAX_ROWS, max(MIN_ROWS, MAX_PAIRS // student.shape[1] ** 2))
    stride = -(-len(student) // rows)
    tau, same = row_agreement(student[::stride], teacher[::stride])
    return {'distill_tau': tau.mean(), 'distill_top1': same.float().mean()}
