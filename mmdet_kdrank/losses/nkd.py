"""Normalised knowledge distillation."""

from typing import Any

from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.losses.dkd import split_target
from mmdet_kdrank.ops.checks import check_number, check_positive
from mmdet_kdrank.scopes import register


@register(MODELS)
class NKDLoss(LogitDistillLoss):
    r"""``-q_y log p_y - gamma T^2 sum_{c != y} o^t_c log o^s_c``, for softmax heads.

    The first term is the student's cross-entropy on the label y, weighted by the teacher's
    probability q_y of it, at temperature 1. The second is a cross-entropy too: o are the
    probabilities among the other classes at temperature T, normalised to 1 on each side. Its value
    does not reach 0: where both agree, it is the teacher's entropy.

    Labels are those of the student's own assignment; background is one of them.

    Args:
        gamma: Factor on the second term.
        temperature: T, of the second term alone.
        **options: ``reduction`` and ``loss_weight``, see :class:`LogitDistillLoss`.

    The paper distils classifiers alone. ``gamma`` and ``temperature`` are its values for ImageNet.
    We use the same values for detection, without tuning.

    Raises:
        ValueError: If T is no positive number.

    References:
        "From Knowledge Distillation to Self-Knowledge Distillation: A Unified Approach with
        Normalized Loss and Customized Soft Labels", arXiv 2303.13005, the equation of ``L_NKD``.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
        >>> NKDLoss(gamma=1.0)(logits, logits, labels=torch.tensor([0]))  # 0.5 ln 2 + ln 2
        tensor(1.0397)
    """

    requires_labels = True

    def __init__(self, gamma: float = 1.5, temperature: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        check_positive('temperature', temperature)
        check_number('gamma', gamma)
        self.gamma, self.temperature = gamma, temperature

    def row_loss(self, pred: Tensor, soft_label: Tensor, labels: Tensor) -> Tensor:
        """Return the sum of both cross-entropies of each row, shape (N,)."""
        log_p, log_q = (split_target(logits, labels)[0] for logits in (pred, soft_label))
        student, teacher = (
            split_target(logits / self.temperature, labels)[2] for logits in (pred, soft_label)
        )
        others = (teacher.exp() * student).sum(1)
        return -log_q.exp() * log_p - self.gamma * self.temperature**2 * others
