"""The losses that are compared, called as a distiller calls them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from experiments.claims.logits import LogitSet


@dataclass(frozen=True)
class Term:
    """A sum of registered losses.

    Attributes:
        name: In tables and plots.
        losses: What is added up.
    """

    name: str
    losses: tuple[nn.Module, ...]

    def values(self, student: Tensor, logits: LogitSet) -> Tensor:
        """The loss of each row.

        Args:
            student: The student's logits, shape (N, C).
            logits: Their teacher and labels.

        Returns:
            Shape (N,).
        """
        total = student.new_zeros(len(student))
        for loss in self.losses:
            extra = {'labels': logits.labels} if getattr(loss, 'requires_labels', False) else {}
            total = total + loss(student, logits.teacher, reduction_override='none', **extra)
        return total

    def gradient(self, logits: LogitSet, student: Tensor | None = None) -> Tensor:
        """The gradient of each row's loss in the student's logits.

        Args:
            logits: The rows.
            student: In place of the set's own student, shape (N, C).

        Returns:
            Shape (N, C).
        """
        leaf = (logits.student if student is None else student).clone().requires_grad_()
        return torch.autograd.grad(self.values(leaf, logits).sum(), leaf)[0]


def rank(weight: float = 1.0, **options: object) -> Term:
    """The ranking loss.

    Args:
        weight: Its ``loss_weight``.
        **options: Others of ``KendallRankLoss``.
    """
    form = ', cosine' if options.get('form') == 'cosine' else ''
    loss = MODELS.build(dict(type='KendallRankLoss', loss_weight=weight, **options))
    return Term(f'rank{form}', (loss,))


def kd(logits: LogitSet, temperature: float = 1.0) -> Term:
    """Logit distillation as it fits the head: KL for a softmax, binary KD for sigmoids.

    Args:
        logits: Names the activation and the number of classes.
        temperature: T; the loss has the usual factor T^2.
    """
    if logits.activation == 'sigmoid':
        loss = MODELS.build(dict(type='BinaryKDLoss', temperature=temperature))
    else:
        # MMDetection's averages over the classes; times C it is the textbook's KL of a row.
        loss = MODELS.build(
            dict(
                type='KnowledgeDistillationKLDivLoss',
                T=temperature,
                loss_weight=float(logits.classes),
            )
        )
    return Term(f'{base_name(logits)}, T = {temperature:g}', (loss,))


def base_name(logits: LogitSet) -> str:
    """What the logit distillation of such a head is called."""
    return 'KL' if logits.activation == 'softmax' else 'binary KD'


def together(logits: LogitSet, weight: float = 1.0) -> Term:
    """Return logit distillation at T = 1 together with the ranking loss, at a given weight."""
    losses = (*kd(logits).losses, *rank(weight).losses)
    return Term(f'{base_name(logits)} + rank', losses)


def all_terms(logits: LogitSet) -> list[Term]:
    """The terms whose gradients are compared.

    Args:
        logits: Names the activation: DKD is for softmax heads alone.
    """
    terms = [kd(logits, temperature) for temperature in (1, 2, 4)]
    terms.append(Term('MSE', (MODELS.build(dict(type='LogitMSELoss')),)))
    if logits.activation == 'softmax':
        terms.append(Term('DKD', (MODELS.build(dict(type='DKDLoss')),)))
    return [*terms, rank(), rank(form='cosine'), together(logits)]
