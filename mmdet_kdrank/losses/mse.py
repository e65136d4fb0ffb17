"""Mean squared error of the logits."""

from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.scopes import register


@register(MODELS)
class LogitMSELoss(LogitDistillLoss):
    r"""``sum_c (s_c - t_c)^2 / C``: the student learns the teacher's logits themselves.

    For centred logits this is twice the limit of ``T^2 KL`` as the temperature grows. A softmax
    ignores a shift of all logits of a row; this loss does not. For softmax heads,
    :class:`~mmdet_kdrank.losses.LSKDLoss` around it removes shift and scale. For sigmoid heads the
    level has a meaning, and the student learns it.

    Its options are ``reduction`` and ``loss_weight`` alone, see :class:`LogitDistillLoss`. No paper
    gives a weight for detection; 1 is our choice.

    References:
        "Do Deep Nets Really Need to be Deep?", arXiv 1312.6184, regression on logits.
        "Comparing Kullback-Leibler Divergence and Mean Squared Error Loss in Knowledge
        Distillation", arXiv 2105.08919, ``L_MSE``. Both sum over the classes. We take the mean, so
        that the weight does not depend on the number of classes.

    Example:
        >>> import torch
        >>> LogitMSELoss()(torch.tensor([[1.0, 4.0]]), torch.tensor([[1.0, 2.0]]))
        tensor(2.)
    """

    min_columns = 1

    def row_loss(self, pred: Tensor, soft_label: Tensor) -> Tensor:
        """Return the mean over classes of each row, shape (N,)."""
        return (pred - soft_label).square().mean(1)
