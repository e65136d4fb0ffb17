"""Logits whose rows have little or much in common."""

import torch
from torch import Tensor

# How much of the logits all rows share, as a factor on a part of standard deviation 1. In a
# detector most rows are background and rank the classes alike.
KINDS: dict[str, float] = {'unlike': 0.0, 'alike': 3.0}


def make_logits(kind: str, rows: int, columns: int, device: str) -> tuple[Tensor, Tensor]:
    """Random student's and teacher's logits.

    Args:
        kind: A key of ``KINDS``.
        rows: N.
        columns: C.
        device: Where.

    Returns:
        Student, which requires a gradient, and teacher, each (N, C).
    """
    generator = torch.Generator().manual_seed(0)

    def noise(count: int) -> Tensor:
        return torch.randn(count, columns, generator=generator)

    common = KINDS[kind]
    spread = 1.0 if common else 3.0
    teacher = common * noise(1) + spread * noise(rows)
    student = 0.7 * teacher + (2.0 if common else 0.0) * noise(1) + spread / 2 * noise(rows)
    return student.to(device).requires_grad_(), teacher.to(device)
