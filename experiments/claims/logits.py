"""Logits of a student and a teacher for the same boxes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

RARE = 1e-3
"""Below this probability, in the teacher's eyes, a class counts as unlikely."""


@dataclass(frozen=True)
class LogitSet:
    """Rows that a distillation loss compares.

    Attributes:
        name: In tables and plots.
        student: Float64, shape (N, C).
        teacher: Float64, shape (N, C).
        labels: The student's class targets, int64, shape (N,), the background's too.
        activation: ``'softmax'`` or ``'sigmoid'``.
    """

    name: str
    student: Tensor
    teacher: Tensor
    labels: Tensor
    activation: str = 'softmax'

    @property
    def classes(self) -> int:
        """C."""
        return self.teacher.shape[1]

    def probability(self) -> Tensor:
        """The teacher's probability of each class, shape (N, C)."""
        return self.teacher.softmax(1) if self.activation == 'softmax' else self.teacher.sigmoid()

    def unlikely(self) -> Tensor:
        """Which channels the teacher gives less than :data:`RARE`, bool, shape (N, C)."""
        return self.probability() < RARE

    def first(self, rows: int) -> LogitSet:
        """The same set cut to its first ``rows`` rows."""
        return replace(
            self,
            student=self.student[:rows],
            teacher=self.teacher[:rows],
            labels=self.labels[:rows],
        )

    def near(self, noise: float = 0.1) -> LogitSet:
        """The same teacher, with a student that is right up to normal noise of this scale."""
        offset = normal(self.teacher.shape, 'near')
        return replace(
            self, name=f'{self.name}, student near', student=self.teacher + noise * offset
        )


def normal(shape: tuple[int, ...], purpose: str) -> Tensor:
    """Normal numbers, float64.

    Args:
        shape: Of the result.
        purpose: What they are for; with the same text they are the same, with another independent.
    """
    generator = torch.Generator().manual_seed(zlib.crc32(purpose.encode()))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def random_logits(
    seed: int = 0, rows: int = 300, classes: int = 28, activation: str = 'softmax'
) -> LogitSet:
    """Draw a teacher, and a student that has learnt some of it.

    Args:
        seed: Of the draw.
        rows: N.
        classes: C.
        activation: That of the head they stand for.

    Returns:
        Teacher's logits of standard deviation 3, the student's off by 1; the labels are what the
        teacher finds likeliest.
    """
    teacher = 3 * normal((rows, classes), f'teacher {seed}')
    student = teacher + normal((rows, classes), f'student {seed}')
    return LogitSet('random', student, teacher, teacher.argmax(1), activation)
