"""Descending a loss on the logits themselves, each row a run of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.claims.claim import number
from experiments.claims.logits import LogitSet, normal
from experiments.claims.terms import Term
from mmdet_kdrank.ops import kendall_tau

SAME_ORDER = 0.99
"""Hard tau from which two rankings count as the same: one misordered pair in 200."""
SAME_DISTRIBUTION = 0.01
"""KL, in nats, up to which two distributions count as the same."""
SAME_VALUES = 0.1
"""Root mean square difference of centred logits up to which they count as the same."""


@dataclass(frozen=True)
class Descent:
    """How the runs went.

    Attributes:
        steps: Numbers of the steps that were looked at.
        tau: Mean hard Kendall coefficient with the teacher at each of them.
        divergence: Mean KL from the teacher at each of them, in nats.
        end: The logits at the end, shape (N, C).
    """

    steps: list[int]
    tau: list[float]
    divergence: list[float]
    end: Tensor

    def trace(self) -> dict[str, list]:
        """What is plotted, of plain JSON types."""
        return {
            'steps': self.steps,
            'tau': [number(value) for value in self.tau],
            'divergence': [number(value) for value in self.divergence],
        }


def random_start(logits: LogitSet) -> Tensor:
    """Normal logits of unit variance, which know nothing of the teacher, shape (N, C)."""
    return normal(logits.teacher.shape, f'start {logits.name}')


def divergence(student: Tensor, logits: LogitSet) -> Tensor:
    """KL from the teacher's to the student's distribution, in nats, shape (N,).

    For sigmoid heads the sum over the classes of that between two coins.
    """
    if logits.activation == 'softmax':
        ours, theirs = student.log_softmax(1), logits.teacher.log_softmax(1)
        return (theirs.exp() * (theirs - ours)).sum(1)
    pairs = [(student, logits.teacher), (-student, -logits.teacher)]
    logs = [[torch.nn.functional.logsigmoid(side) for side in pair] for pair in pairs]
    return sum((theirs.exp() * (theirs - ours)).sum(1) for ours, theirs in logs)


def descend(
    term: Term, logits: LogitSet, start: Tensor, rate: float, steps: int, adam: bool = False
) -> Descent:
    """Descend the loss of each row from its start.

    Args:
        term: The loss.
        logits: The teacher.
        start: Shape (N, C).
        rate: Length of a step per unit of gradient; with ``adam`` its learning rate.
        steps: Their number.
        adam: Adam in place of plain gradient descent, which hides how long the gradient is.
    """
    student = start.clone().requires_grad_()
    optimizer = (torch.optim.Adam if adam else torch.optim.SGD)([student], lr=rate)
    looks = sorted({round(steps ** (part / 24)) for part in range(25)} | {0})
    taus, divergences = [], []
    for step in range(steps + 1):
        if step in looks:
            now = student.detach()
            taus.append(float(kendall_tau(now, logits.teacher, surrogate='sign').mean()))
            divergences.append(float(divergence(now, logits).mean()))
        if step < steps:
            optimizer.zero_grad()
            term.values(student, logits).sum().backward()
            optimizer.step()
    return Descent(looks, taus, divergences, student.detach())


def shares_reached(end: Tensor, logits: LogitSet) -> tuple[float, float, float]:
    """Share of the runs that ended at the teacher's order, its distribution, its logits.

    Args:
        end: Logits, shape (N, C).
        logits: The teacher.

    Returns:
        In this order; logits may differ by a shift where a softmax does not see it.
    """
    tau = kendall_tau(end, logits.teacher, surrogate='sign')
    gap = end - logits.teacher
    if logits.activation == 'softmax':
        gap = gap - gap.mean(1, keepdim=True)
    reached = (
        tau >= SAME_ORDER,
        divergence(end, logits) <= SAME_DISTRIBUTION,
        gap.square().mean(1).sqrt() <= SAME_VALUES,
    )
    order, distribution, values = (float(each.double().mean()) for each in reached)
    return order, distribution, values
