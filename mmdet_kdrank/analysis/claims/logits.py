"""Logits of a student and a teacher for the same boxes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LogitSet:
    """Rows that a distillation loss compares.

    Attributes:
        name: In tables and plots.
        student: Float64, shape (N, C).
        teacher: Float64, shape (N, C).
        labels: The student's class targets, int64, shape (N,); background is the last class.
    """

    name: str
    student: Tensor
    teacher: Tensor
    labels: Tensor
