"""Binary knowledge distillation: each class a yes or no of its own."""

from typing import Any

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.ops.checks import check_positive


@MODELS.register_module()
class BinaryKDLoss(LogitDistillLoss):
    r"""``T^2 sum_c BCE(sigmoid(s_c / T), sigmoid(t_c / T))``, for sigmoid heads.

    A softmax over the logits of a sigmoid head forgets whether there is anything at all; this loss
    compares the scores that the head reports. The gradient on a logit is the difference of the two
    scores (at T = 1). The value does not reach 0: where student and teacher agree it is the
    teacher's entropy.

    Args:
        temperature: T. The paper has none, which is 1.
        **options: ``reduction`` and ``loss_weight``. The authors' configs weigh their loss, which
            has the factor below, by 1; for this one that is ours.

    Raises:
        ValueError: If ``temperature`` is not above 0.

    References:
        "Bridging Cross-task Protocol Inconsistency for Distillation in Dense Object Detection",
        arXiv 2308.14286, the binary classification distillation loss before its factor
        ``|q - p|``; with that it is ``QualityFocalKDLoss`` at ``beta=1``.

    Example:
        >>> import torch
        >>> logits = torch.zeros(1, 2)
        >>> BinaryKDLoss()(logits, logits)  # 2 ln 2, the entropy of two fair coins
        tensor(1.3863)
    """

    def __init__(self, temperature: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        check_positive('temperature', temperature)
        self.temperature = temperature

    def row_loss(self, pred: Tensor, soft_label: Tensor) -> Tensor:
        """Return the sum over classes of each row, shape (N,)."""
        score = (soft_label / self.temperature).sigmoid()
        loss = F.binary_cross_entropy_with_logits(pred / self.temperature, score, reduction='none')
        return self.temperature**2 * loss.sum(1)
