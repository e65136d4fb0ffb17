"""Standardisation of the logits, around any distillation loss."""

import inspect
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError
from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.losses.kendall_rank import standardize_rows
from mmdet_kdrank.ops.checks import check_positive
from mmdet_kdrank.scopes import build, register


@register(MODELS)
class LSKDLoss(LogitDistillLoss):
    r"""``loss(Z(s), Z(t))`` with ``Z(x) = (x - mean x) / std x``, row by row over the classes.

    The student learns the relations between the teacher's logits, not their scale. Any registered
    loss can be inside, a user's own too. It gets the standardised logits, with
    ``reduction_override='none'``, and labels if it requires them. Its ``loss_weight`` counts, its
    reduction does not.

    In a sigmoid head, the mean of the logits shows whether there is any object at all. Losses that
    use the level of such logits (binary, quality focal, MSE) lose that information. A loss with a
    softmax loses nothing.

    Args:
        loss: Config of the loss inside. The paper's temperature is an option of that loss: 2 with
            KL.
        eps: Added to the variance, in squared units of logit. For a freshly initialised head the
            default limits the amplification of the gradient to 1 / sqrt(1e-3) = 32. It is our
            addition; the paper, on classifiers, has none.
        **options: ``reduction`` and ``loss_weight``. The weight multiplies that of the loss inside.
            The paper uses 9 for classification, alongside the cross-entropy; 1 is our choice.

    Raises:
        KeyError: If the loss inside is not registered.
        TypeError: If it does not take ``reduction_override``.
        ValueError: If ``eps`` is not positive, or the loss inside does not give one value a row or
            has ``requires_samples``.

    References:
        "Logit Standardization in Knowledge Distillation", arXiv 2403.01427, the weighted Z-score
        ``Z(x; tau)``.

    Example:
        >>> import torch
        >>> loss = LSKDLoss(loss=dict(type='LogitMSELoss'))
        >>> teacher = torch.tensor([[8.0, 4.0, 0.0]])
        >>> f'{loss(0.5 * teacher + 3, teacher):.2f}, {loss(-teacher, teacher):.2f}'
        '0.00, 4.00'
    """

    def __init__(self, loss: dict, eps: float = 1e-3, **options: Any) -> None:
        super().__init__(**options)
        check_positive('eps', eps)
        self.eps = eps
        self.loss = build(MODELS, loss)
        if getattr(self.loss, 'requires_samples', False):
            raise ArgumentError(
                f'{type(self.loss).__name__} compares samples, and LSKDLoss standardises the '
                'classes of each sample. Give it an entry of its own in distill_losses.'
            )
        self.requires_labels = getattr(self.loss, 'requires_labels', False)
        signature = inspect.signature(self.loss.forward)
        try:
            signature.bind(None, None, reduction_override='none', **self._extra(None))
        except TypeError as error:
            raise ArgumentTypeError(
                f'LSKDLoss needs one value per row from the loss inside, but '
                f'{type(self.loss).__name__}.forward{signature} cannot be called with '
                "reduction_override='none'. Use a subclass whose forward accepts it."
            ) from error

    def row_loss(self, pred: Tensor, soft_label: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the loss inside of each standardised row, shape (N,)."""
        loss = self.loss(
            standardize_rows(pred, self.eps),
            standardize_rows(soft_label, self.eps),
            reduction_override='none',
            **self._extra(labels),
        )
        if loss.shape != pred.shape[:1]:
            raise ArgumentError(
                f"{type(self.loss).__name__} with reduction_override='none' returned the shape "
                f'{tuple(loss.shape)}, not one value for each of {len(pred)} rows. Reduce it over '
                'the classes.'
            )
        return loss

    def _extra(self, labels: Tensor | None) -> dict[str, Tensor | None]:
        return {'labels': labels} if self.requires_labels else {}
