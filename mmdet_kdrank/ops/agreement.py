"""How far student and teacher agree: what is logged beside the losses."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet_kdrank.ops import kendall_tau

MAX_ROWS = 1024
"""Rows looked at in an iteration, taken at even distances: enough for a log, cheap at any N."""

MIN_ROWS = 16
MAX_PAIRS = 1 << 28
"""With more than 512 classes, fewer rows, so that the log stays cheap at any C too."""


@torch.no_grad()
def agreement(student: Tensor, teacher: Tensor) -> dict[str, Tensor]:
    """Rank agreement of two sets of logits, on :data:`MAX_ROWS` rows or fewer.

    Args:
        student: Student logits, (N, C).
        teacher: Teacher logits, (N, C).

    Returns:
        ``distill_tau``, the mean hard Kendall tau-a in [-1, 1], and
        ``distill_top1``, the share in [0, 1] of rows on which both rank the same class first.
        Empty for N = 0 or C = 1, where neither is defined.
    """
    if not len(student) or student.shape[1] < 2:
        return {}
    rows = min(MAX_ROWS, max(MIN_ROWS, MAX_PAIRS // student.shape[1] ** 2))
    stride = -(-len(student) // rows)
    student, teacher = student.detach()[::stride], teacher[::stride]
    tau = kendall_tau(student, teacher, surrogate='sign').mean()
    top1 = (student.argmax(1) == teacher.argmax(1)).float().mean()
    return {'distill_tau': tau, 'distill_top1': top1}
