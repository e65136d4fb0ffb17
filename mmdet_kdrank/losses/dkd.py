"""Decoupled knowledge distillation."""

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.ops.checks import check_number, check_positive
from mmdet_kdrank.scopes import register


def split_target(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-probabilities of the target, of all others together, and among the others.

    All values stay logarithms. So the distribution among the others is exact even if the target's
    probability is 1 to the last bit.

    Args:
        logits: Shape (N, C). N may be 0.
        labels: Column of each row's target, shape (N,), int64.

    Returns:
        ``log p`` and ``log(1 - p)`` of the target, both of shape (N,). Then the log-probabilities
        of the other classes in their order, normalised to sum to 1, shape (N, C - 1).

    Example:
        >>> logits = torch.tensor([[0.2, 0.3, 0.5]]).log()
        >>> [part.exp() for part in split_target(logits, torch.tensor([2]))]
        [tensor([0.5000]), tensor([0.5000]), tensor([[0.4000, 0.6000]])]
    """
    log_p = logits.log_softmax(1)
    target = labels[:, None]
    columns = torch.arange(logits.shape[1] - 1, device=logits.device)
    # Indices, because with a mask the CPU would wait for the device to count its selection.
    others = log_p.gather(1, columns + (columns >= target))
    log_rest = others.logsumexp(1)
    return log_p.gather(1, target).squeeze(1), log_rest, others - log_rest[:, None]


@register(MODELS)
class DKDLoss(LogitDistillLoss):
    r"""``T^2 (alpha TCKD + beta NCKD)``, for softmax heads.

    ``TCKD = KL(b_t || b_s)`` compares the probabilities of the target, ``b = (p, 1 - p)``.
    ``NCKD = KL(o_t || o_s)`` compares the distributions among the other classes, each normalised to
    1. Plain KL is ``TCKD + (1 - p_t) NCKD``: it neglects the other classes where the teacher is
    certain.

    The target is the label of the student's own assignment; background is a class like the others.
    A row whose label the teacher does not know has loss 0.

    Args:
        alpha: Factor on TCKD.
        beta: Factor on NCKD.
        temperature: T.
        **options: ``reduction`` and ``loss_weight``, as of every loss.

    The defaults of ``alpha``, ``beta``, ``temperature`` and the weight are those of the authors'
    published code for Faster R-CNN on COCO. Other values are usual for classification.

    Raises:
        ValueError: If the temperature is not positive.

    References:
        "Decoupled Knowledge Distillation", arXiv 2203.08679, the equation that defines
        ``DKD = alpha TCKD + beta NCKD``.

    Example:
        >>> teacher = torch.tensor([[0.5, 0.4, 0.1]]).log()
        >>> student = torch.tensor([[0.5, 0.1, 0.4]]).log()
        >>> labels = torch.tensor([0])  # agreed upon: what is left is among the others
        >>> DKDLoss(alpha=9.0, beta=1.0)(student, teacher, labels=labels)
        tensor(0.8318)
    """

    requires_labels = True

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 0.25,
        temperature: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        check_positive('temperature', temperature)
        check_number('alpha', alpha)
        check_number('beta', beta)
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature

    def row_loss(self, pred: Tensor, soft_label: Tensor, labels: Tensor) -> Tensor:
        """Return the sum of both parts of each row, shape (N,)."""
        *student, student_others = split_target(pred / self.temperature, labels)
        *teacher, teacher_others = split_target(soft_label / self.temperature, labels)
        target = _kl(torch.stack(student, 1), torch.stack(teacher, 1))
        others = _kl(student_others, teacher_others)
        return self.temperature**2 * (self.alpha * target + self.beta * others)


def _kl(log_student: Tensor, log_teacher: Tensor) -> Tensor:
    return F.kl_div(log_student, log_teacher, reduction='none', log_target=True).sum(1)
