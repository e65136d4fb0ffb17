"""Quality focal distillation, for sigmoid heads."""

from typing import Any

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.ops.checks import check_number
from mmdet_kdrank.scopes import register


@register(MODELS)
class QualityFocalKDLoss(LogitDistillLoss):
    r"""``sum_c |p_c - q_c|^beta BCE(p_c, q_c)`` with ``p = sigmoid(s)``, ``q = sigmoid(t)``.

    It is the quality focal loss with the teacher's score as the quality. A class on which student
    and teacher agree counts little; on most anchors, these are nearly all classes. The factor is
    part of the graph, as in the paper. This is CrossKD's classification loss alone: the teacher's
    head does not read the student's features here.

    Args:
        beta: At least 1: below 1, the gradient has a pole where both agree. The papers use 1.
        **options: ``reduction`` and ``loss_weight``. The papers' weight for detection is 1.
            CrossKD sums over all anchors and divides by the positive ones, as ``AllSamples`` does.

    Raises:
        ValueError: If ``beta`` is less than 1.

    References:
        "CrossKD: Cross-Head Knowledge Distillation for Object Detection", arXiv 2306.11369, its
        classification loss. "Bridging Cross-task Protocol Inconsistency for Distillation in Dense
        Object Detection", arXiv 2308.14286, whose factor is that with ``beta=1``. "Generalized
        Focal Loss", arXiv 2006.04388, for the quality focal loss itself.

    Example:
        >>> import torch
        >>> loss = QualityFocalKDLoss()
        >>> student, teacher = torch.tensor([[0.0, 2.0]]), torch.tensor([[0.0, 0.0]])
        >>> loss(student, teacher), loss(teacher, teacher)
        (tensor(0.4291), tensor(0.))
    """

    min_columns = 1

    def __init__(self, beta: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        check_number('beta', beta)
        if beta < 1:
            raise ArgumentError(f'beta={beta!r} must be at least 1; for 0, use BinaryKDLoss.')
        self.beta = beta

    def row_loss(self, pred: Tensor, soft_label: Tensor) -> Tensor:
        """Return the sum over classes of each row, shape (N,)."""
        score = soft_label.sigmoid()
        disagreement = (pred.sigmoid() - score).abs().pow(self.beta)
        loss = F.binary_cross_entropy_with_logits(pred, score, reduction='none')
        return (disagreement * loss).sum(1)
