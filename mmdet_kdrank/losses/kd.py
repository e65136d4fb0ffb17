"""Knowledge distillation by KL divergence, at the scale of textbooks."""

from typing import Any

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.ops.checks import check_positive
from mmdet_kdrank.scopes import register


@register(MODELS)
class KDLoss(LogitDistillLoss):
    r"""``T^2 KL(softmax(t / T) || softmax(s / T))``, summed over the classes of a row.

    MMDetection's ``KnowledgeDistillationKLDivLoss`` also averages over the C channels. So this loss
    with weight 1 is that one with weight C, whatever the number of classes.

    Args:
        temperature: T. 1 is what this project's experiments use, for RoIs and anchors.
        **options: ``reduction`` and ``loss_weight``, as of every loss.

    Raises:
        ValueError: If the temperature is not positive.

    References:
        "Distilling the Knowledge in a Neural Network", arXiv 1503.02531.

    Example:
        >>> import torch
        >>> from mmdet.models.losses import KnowledgeDistillationKLDivLoss
        >>> student = torch.tensor([[0.5, 0.2, 0.3]]).log()
        >>> teacher = torch.tensor([[2.0, 1.0, 0.0]])
        >>> KDLoss()(student, teacher)
        tensor(0.1310)
        >>> KnowledgeDistillationKLDivLoss(T=1, loss_weight=3.0)(student, teacher)
        tensor(0.1310)
    """

    def __init__(self, temperature: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        check_positive('temperature', temperature)
        self.temperature = temperature

    def row_loss(self, pred: Tensor, soft_label: Tensor) -> Tensor:
        """Return the divergence of each row, shape (N,)."""
        log_student = (pred / self.temperature).log_softmax(1)
        log_teacher = (soft_label / self.temperature).log_softmax(1)
        rows = F.kl_div(log_student, log_teacher, reduction='none', log_target=True).sum(1)
        return self.temperature**2 * rows
