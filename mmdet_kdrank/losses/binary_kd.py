"""Binary knowledge distillation: every class is a binary decision of its own."""

from typing import Any

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.ops.checks import check_positive
from mmdet_kdrank.scopes import register


@register(MODELS)
class BinaryKDLoss(LogitDistillLoss):
    r"""``T^2 sum_c BCE(sigmoid(s_c / T), sigmoid(t_c / T))``, for sigmoid heads.

    A softmax over the logits of a sigmoid head loses whether there is any object at all. This loss
    compares the scores that the head reports. The gradient on a logit is the difference of the two
    scores (at T = 1). The value does not reach 0: where student and teacher agree, it is the
    teacher's entropy.

    Args:
        temperature: T. The paper has no temperature, which is T = 1.
        **options: ``reduction`` and ``loss_weight``. The authors' configs use a weight of 1 for
            their loss, which has the factor below. The weight of 1 for this loss is our choice.

    Raises:
        ValueError: If ``temperature`` is not above 0.

    References:
        "Bridging Cross-task Protocol Inconsistency for Distillation in Dense Object Detection",
        arXiv 2308.14286: its binary classification distillation loss without the factor
        ``|q - p|``. With that factor it is ``QualityFocalKDLoss`` at ``beta=1``.

    Example:
        >>> import torch
        >>> logits = torch.zeros(1, 2)
        >>> BinaryKDLoss()(logits, logits)  # 2 ln 2, the entropy of two fair coins
        tensor(1.3863)
    """

    min_columns = 1

    def __init__(self, temperature: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        check_positive('temperature', temperature)
        self.temperature = temperature

    def row_loss(self, pred: Tensor, soft_label: Tensor) -> Tensor:
        """Return the sum over classes of each row, shape (N,)."""
        score = (soft_label / self.temperature).sigmoid()
        loss = F.binary_cross_entropy_with_logits(pred / self.temperature, score, reduction='none')
        return self.temperature**2 * loss.sum(1)
