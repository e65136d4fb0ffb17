"""The base of every logit distillation loss: a subclass writes one formula."""

import torch
from mmdet.models.losses.utils import weight_reduce_loss
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, UnsupportedError
from mmdet_kdrank.ops.checks import check_choice, check_logits, check_number

_REDUCTIONS = ('none', 'mean', 'sum')


def full_precision(tensor: Tensor) -> Tensor:
    """Convert half precision to float32, and leave other dtypes as they are.

    Args:
        tensor: Of any floating-point dtype and shape.

    Returns:
        Float32 or float64, of the same shape.

    Example:
        >>> full_precision(torch.ones(2, dtype=torch.float16)).dtype
        torch.float32
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class LogitDistillLoss(nn.Module):
    """Checks, weights and reduction around a loss per row.

    It is called as MMDetection's ``KnowledgeDistillationKLDivLoss``, with the same meaning of
    ``weight``, ``avg_factor`` and ``reduction_override``. In addition, the formula is computed in
    float32 or float64, under autocast too. An empty batch gives zero with a graph. The soft labels
    are a constant.

    A subclass writes :meth:`row_loss` and registers itself in ``mmdet.registry.MODELS``. If it
    needs the hard labels too, it sets ``requires_labels = True``; the caller reads that attribute
    and passes ``labels=``. One that is defined on a single column of logits sets
    ``min_columns = 1``, so that students of one class can have it.

    Args:
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight: Factor on the result.

    Raises:
        ValueError: If ``reduction`` is none of the three, or ``loss_weight`` no finite number.

    Example:
        >>> class SquaredError(LogitDistillLoss):
        ...     def row_loss(self, pred, soft_label):
        ...         return (pred - soft_label).square().mean(1)
        >>> loss = SquaredError(loss_weight=2.0)
        >>> loss(torch.zeros(4, 3), torch.ones(4, 3))
        tensor(2.)
    """

    compares: str = 'logits'
    requires_labels: bool = False
    min_columns: int = 2

    def __init__(self, reduction: str = 'mean', loss_weight: float = 1.0) -> None:
        super().__init__()
        check_choice('reduction', reduction, _REDUCTIONS)
        check_number('loss_weight', loss_weight)
        self.reduction = reduction
        self.loss_weight = loss_weight

    def row_loss(self, pred: Tensor, soft_label: Tensor) -> Tensor:
        """Return the loss of each row, without weights.

        Args:
            pred: The student's logits, float32 or float64, shape (N, C). N may be 0.
            soft_label: The teacher's logits, detached, shape (N, C).

        With ``requires_labels`` it also takes ``labels``, class indices of shape (N,).

        Returns:
            Shape (N,).
        """
        raise UnsupportedError(f'{type(self).__name__} must define row_loss(pred, soft_label).')

    def forward(
        self,
        pred: Tensor,
        soft_label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Compute the weighted, reduced loss.

        Args:
            pred: The student's logits, shape (N, C).
            soft_label: The teacher's logits, shape (N, C).
            weight: Factor on each row, shape (N,).
            avg_factor: The divisor of the sum, in place of N. Only for ``'mean'``.
            reduction_override: Replaces the reduction of the constructor.
            labels: Class indices, shape (N,); for losses with ``requires_labels`` alone.

        Returns:
            A scalar; with ``'none'``, shape (N,).

        Raises:
            TypeError: If logits are not floating point.
            ValueError: If shapes do not fit, the reduction is unknown, ``avg_factor`` meets
                ``'sum'``, or ``labels`` are missing or not asked for.
        """
        check_logits(pred, soft_label, ('pred', 'soft_label'), self.min_columns)
        reduction = self.reduction
        if reduction_override is not None:
            check_choice('reduction_override', reduction_override, _REDUCTIONS)
            reduction = reduction_override
        rows = pred.shape[:1]
        if weight is not None and weight.shape != rows:
            raise ArgumentError(
                f'weight has shape {tuple(weight.shape)}; it must be {tuple(rows)}, one factor for '
                'each row of pred.'
            )
        if self.requires_labels != (labels is not None):
            raise ArgumentError(
                f'{type(self).__name__} has requires_labels={self.requires_labels}, but labels '
                f'were {"not " if labels is None else ""}passed. Pass labels if and only if it is '
                'True.'
            )
        if labels is not None and labels.shape != rows:
            raise ArgumentError(
                f'labels have shape {tuple(labels.shape)}; it must be {tuple(rows)}, one class '
                'index for each row of pred.'
            )

        extra = {} if labels is None else {'labels': labels}
        with torch.autocast(pred.device.type, enabled=False):
            loss = self.row_loss(full_precision(pred), full_precision(soft_label.detach()), **extra)
            if reduction == 'mean' and avg_factor is None:
                # The mean over no rows is NaN; with this divisor it is zero and keeps its graph.
                return (
                    self.loss_weight * weight_reduce_loss(loss, weight, 'sum') / max(len(loss), 1)
                )
            return self.loss_weight * weight_reduce_loss(loss, weight, reduction, avg_factor)
