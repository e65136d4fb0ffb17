"""Descends a loss on the logits themselves; every row is a run of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.claims.claim import number
from experiments.claims.logits import LogitSet, normal
from experiments.claims.terms import Term
from mmdet_kdrank.ops import kendall_tau

SAME_ORDER = 0.99
"""Rankings count as equal from this hard tau on: one misordered pair in 200."""
SAME_DISTRIBUTION = 0.01
"""Distributions count as equal up to this KL, in nats."""
SAME_VALUES = 0.1
"""Logits count as equal up to this root mean square difference, after centring."""


@dataclass(frozen=True)
class Descent:
    """The course of the runs.

    Attributes:
        steps: Numbers of the measured steps.
        tau: Mean hard Kendall coefficient with the teacher at these steps.
        divergence: Mean KL from the teacher at these steps, in nats.
        end: The logits at the end, shape (N, C).
    """

    steps: list[int]
    tau: list[float]
    divergence: list[float]
    end: Tensor

    def trace(self) -> dict[str, list]:
        """Return the values to plot, as plain JSON types."""
        return {
            'steps': self.steps,
            'tau': [number(value) for value in self.tau],
            'divergence': [number(value) for value in self.divergence],
        }


def random_start(logits: LogitSet) -> Tensor:
    """Return normal logits of unit variance, independent of the teacher, shape (N, C)."""
    return normal(logits.teacher.shape, f'start {logits.name}')


def divergence(student: Tensor, logits: LogitSet) -> Tensor:
    """Return KL from the teacher's to the student's distribution, in nats, shape (N,).

    For sigmoid heads it is the sum over the classes of the KL of two binary distributions.
    """
    if logits.activation == 'softmax':
        student_log, teacher_log = student.log_softmax(1), logits.teacher.log_softmax(1)
        return (teacher_log.exp() * (teacher_log - student_log)).sum(1)
    total = 0
    for pair in ((student, logits.teacher), (-student, -logits.teacher)):
        student_log, teacher_log = (torch.nn.functional.logsigmoid(side) for side in pair)
        total = total + (teacher_log.exp() * (teacher_log - student_log)).sum(1)
    return total


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
        adam: Use Adam, whose steps do not depend on the length of the gradient.
    """
    student = start.clone().requires_grad_()
    optimizer = (torch.optim.Adam if adam else torch.optim.SGD)([student], lr=rate)
    measured_steps = sorted({round(steps ** (part / 24)) for part in range(25)} | {0})
    taus, divergences = [], []
    for step in range(steps + 1):
        if step in measured_steps:
            current = student.detach()
            taus.append(float(kendall_tau(current, logits.teacher, surrogate='sign').mean()))
            divergences.append(float(divergence(current, logits).mean()))
        if step < steps:
            optimizer.zero_grad()
            term.values(student, logits).sum().backward()
            optimizer.step()
    return Descent(measured_steps, taus, divergences, student.detach())


def shares_reached(end: Tensor, logits: LogitSet) -> tuple[float, float, float]:
    """Return the shares of runs that ended at the teacher's order, distribution and logits.

    Args:
        end: Logits, shape (N, C).
        logits: The teacher.

    Returns:
        Three shares, in this order; with a softmax, logits may differ by a shift.
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
    order, distribution, values = (float(flags.double().mean()) for flags in reached)
    return order, distribution, values
