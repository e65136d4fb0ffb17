"""Random logits: what holds for any teacher shows on these too."""

from __future__ import annotations

import torch

from .logits import LogitSet


def random_logits(seed: int = 0, rows: int = 300, classes: int = 28) -> LogitSet:
    """Draw a teacher, and a student that has learnt some of it.

    Args:
        seed: Of the draw.
        rows: N.
        classes: C.

    Returns:
        Teacher's logits of standard deviation 3, the student's off by 1; the labels are what the
        teacher finds likeliest.
    """
    generator = torch.Generator().manual_seed(seed)
    teacher = 3 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    student = teacher + torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    return LogitSet('random', student, teacher, teacher.argmax(1))
