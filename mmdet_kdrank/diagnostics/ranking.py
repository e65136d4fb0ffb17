"""How alike two sets of logits rank the classes: by class, by confidence, and at the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmdet_kdrank.ops.agreement import row_agreement

MAX_PAIRS = 1 << 28
"""Pairs of classes that are compared: beyond them rows are left out, at even distances."""


@dataclass(frozen=True)
class Mean:
    """A mean and the number of rows that it is over; NaN over none."""

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
        labels: Class of each row, (N,), int64; others than 0 to
            ``num_classes - 1`` count in no class.
        num_classes: Number of classes.
        edges: Rising bounds between the intervals of the score.
        topk: The k of the agreement at the top; those over C are left out.

    Returns:
        Means over the rows, NaN over none.
    """
    stride = -(-len(student) // max(1, MAX_PAIRS // student.shape[1] ** 2)) or 1
    student, teacher = student.detach()[::stride], teacher[::stride]
    # On the CPU from here on: sums by group are not deterministic on a GPU.
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
    """Share of the k best classes that two rows of logits have in common.

    Args:
        student: Logits, (N, C).
        teacher: Logits, (N, C).
        k: From 1 to C.

    Returns:
        (N,), in [0, 1].

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
