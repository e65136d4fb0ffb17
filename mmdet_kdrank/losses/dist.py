"""DIST: correlations of scores, in place of a divergence."""

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.ops.checks import check_choice, check_number, check_positive
from mmdet_kdrank.scopes import register


@register(MODELS)
class DISTLoss(LogitDistillLoss):
    r"""``T^2 (beta inter + gamma intra)``: Pearson distances of the scores, by rows and by columns.

    ``inter = 1 - corr(p_n, q_n)`` compares a row's scores over the classes. ``intra``, the mean
    over classes of ``1 - corr(p_c, q_c)``, compares a class's scores over the rows.

    ``intra`` compares the rows of one call. These are the rows that the selector chose in the batch
    of one process (sampled RoIs of its images, or top anchors), and in one stage of a Cascade. All
    of them enter the correlations equally, even with weight 0. ``intra`` is one number that is
    added to the loss of every row. So weights change its share only through the sum of the weights
    over ``avg_factor``. With one row, or a class whose scores are all equal, the correlation is set
    to 0 and has no gradient.

    Args:
        beta: Factor on inter.
        gamma: Factor on intra. 0: rows are independent of each other.
        temperature: T.
        activation: Turns logits into scores: ``'softmax'``, as in the paper, or ``'sigmoid'``, our
            addition for sigmoid heads.
        **options: ``reduction`` and ``loss_weight``; ``weight`` is passed at the call.

    The temperature of 1 is the paper's for ImageNet; the factors of 1 are our choice.

    Raises:
        ValueError: If the temperature is not positive or the activation is unknown.

    References:
        "Knowledge Distillation from A Stronger Teacher", arXiv 2205.10536, the equations of
        ``L_inter`` and ``L_intra``.

    Example:
        >>> import torch
        >>> teacher = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]).log()
        >>> swapped = teacher.flip(0)  # each class is likelier in the wrong row
        >>> loss = DISTLoss(beta=0.0)
        >>> [f'{loss(logits, teacher).abs():.4f}' for logits in (teacher, swapped)]
        ['0.0000', '2.0000']
    """

    def __init__(
        self,
        beta: float = 1.0,
        gamma: float = 1.0,
        temperature: float = 1.0,
        activation: str = 'softmax',
        **options: Any,
    ) -> None:
        super().__init__(**options)
        check_positive('temperature', temperature)
        check_choice('activation', activation, ('softmax', 'sigmoid'))
        check_number('beta', beta)
        check_number('gamma', gamma)
        self.beta, self.gamma = beta, gamma
        self.temperature = temperature
        self.activation = activation

    def row_loss(self, pred: Tensor, soft_label: Tensor) -> Tensor:
        """Return each row's own distance plus the common distance, shape (N,)."""
        p, q = (self._scores(logits / self.temperature) for logits in (pred, soft_label))
        inter = _pearson_distance(p, q, 1)
        intra = _pearson_distance(p, q, 0).mean()
        return self.temperature**2 * (self.beta * inter + self.gamma * intra)

    def _scores(self, logits: Tensor) -> Tensor:
        return logits.sigmoid() if self.activation == 'sigmoid' else logits.softmax(1)


def _pearson_distance(a: Tensor, b: Tensor, dim: int) -> Tensor:
    return 1 - F.cosine_similarity(_centred(a, dim), _centred(b, dim), dim=dim)


def _centred(scores: Tensor, dim: int) -> Tensor:
    centred = scores - scores.mean(dim, keepdim=True)
    # Equal scores differ by the rounding error of the mean, which would correlate by chance.
    noise = 8 * torch.finfo(scores.dtype).eps * scores.detach().norm(dim=dim, keepdim=True)
    return centred * (centred.detach().norm(dim=dim, keepdim=True) > noise)
