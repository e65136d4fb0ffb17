"""Agreement of two sets of logits on the order of classes: by class, by score, at the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmdet_kdrank.ops.agreement import row_agreement

MAX_PAIRS = 1 << 28
"""Largest number of pairs of classes to compare; with more, only every n-th row counts."""


@dataclass(frozen=True)
class Mean:
    """A mean and its number of rows; NaN without rows."""

    value: float
    rows: int


@dataclass(frozen=True)
class Ranking:
    """How a student ranks the classes, against its teacher.

    Args:
        tau: Hard Kendall tau-a, in [-1, 1].
        by_class: The same for the rows of each class.
        by_score: The same for the rows in each interval of the teacher's score.
        topk: For each k, the mean share of the teacher's k best classes that
            are among the student's k best.
    """

    tau: Mean
    by_class: list[Mean]
    by_score: list[Mean]
    topk: dict[int, float]


@torch.no_grad()
def ranking(
    student: Tensor,
    teacher: Tensor,
    score: Tensor,
    labels: Tensor | None,
    num_classes: int,
    *,
    edges: Sequence[float],
    topk: Sequence[int],
) -> Ranking:
    """Compare two sets of logits row by row.

    Args:
        student: Student logits, (N, C), C at least 2.
        teacher: Teacher logits, (N, C).
        score: The teacher's confidence in each row, (N,), in [0, 1].
        labels: Class of each row, (N,), int64; only 0 to ``num_classes - 1`` count.
        num_classes: Number of classes.
        edges: Rising bounds between the intervals of the score.
        topk: Values of k for the agreement at the top; those over C are left out.

    Returns:
        Means over the rows, NaN without rows.
    """
    stride = -(-len(student) // max(1, MAX_PAIRS // student.shape[1] ** 2)) or 1
    student, teacher = student.detach()[::stride], teacher[::stride]
    # Sums by group are not deterministic on a GPU, so they are computed on the CPU.
    tau = row_agreement(student, teacher)[0].double().cpu()
    interval = torch.bucketize(score[::stride].float().cpu(), torch.tensor(edges), right=True)
    by_class = [] if labels is None else _means(tau, labels[::stride].cpu(), num_classes)
    return Ranking(
        tau=Mean(float(tau.mean()), len(tau)),
        by_class=by_class,
        by_score=_means(tau, interval, len(edges) + 1),
        topk={
            k: float(top_overlap(student, teacher, k).mean()) for k in topk if k <= student.shape[1]
        },
    )


def top_overlap(student: Tensor, teacher: Tensor, k: int) -> Tensor:
    """Return the share of the k best classes that two rows of logits have in common, (N,).

    Args:
        student: Logits, (N, C).
        teacher: Logits, (N, C).
        k: Number of classes, from 1 to C.

    Example:
        >>> top_overlap(torch.tensor([[3.0, 2, 1]]), torch.tensor([[3.0, 1, 2]]), 2)
        tensor([0.5000])
    """
    student_top, teacher_top = (logits.topk(k, dim=1).indices for logits in (student, teacher))
    return (student_top[:, :, None] == teacher_top[:, None, :]).any(2).float().mean(1)


def _means(values: Tensor, group: Tensor, count: int) -> list[Mean]:
    known = (group >= 0) & (group < count)
    members = group[known].numpy()
    rows = np.bincount(members, minlength=count)
    sums = np.bincount(members, weights=values[known].numpy(), minlength=count)
    return [
        Mean(float(total / number) if number else float('nan'), int(number))
        for total, number in zip(sums, rows, strict=True)
    ]
