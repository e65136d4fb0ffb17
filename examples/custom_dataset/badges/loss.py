"""A distillation loss of this project, written without mmdet_kdrank."""

from __future__ import annotations

from mmdet.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class HellingerLoss(nn.Module):
    """Squared Hellinger distance of the two softmax distributions, ``1 - sum_c sqrt(p_c q_c)``.

    Called as MMDetection's ``KnowledgeDistillationKLDivLoss``.

    Args:
        loss_weight: Factor on the result.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        soft_label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compare logits of shape (N, C); ``weight`` has shape (N,)."""
        log_p, log_q = pred.log_softmax(1), soft_label.log_softmax(1)
        rows = self.loss_weight * (1 - (0.5 * (log_p + log_q)).exp().sum(1))
        if weight is not None:
            rows = rows * weight
        if reduction_override == 'none':
            return rows
        return rows.sum() / (max(len(rows), 1) if avg_factor is None else avg_factor)
