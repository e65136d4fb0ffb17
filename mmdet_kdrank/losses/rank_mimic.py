"""Rank Mimicking: KL divergence along the candidates."""

from __future__ import annotations

import math
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.candidate_base import CandidateLoss
from mmdet_kdrank.ops.checks import check_choice, check_positive
from mmdet_kdrank.scopes import register


@register(MODELS)
class RankMimicLoss(CandidateLoss):
    r"""``T^2 KL(q || p)``, with q and p the softmax over an object's candidates of their scores.

    It is the baseline of ``CandidateRankLoss``, on the same rows. The paper's rows are the positive
    anchors of one object, so the default is ``rows='object'``.

    We had the paper's abstract alone. The details follow an implementation in MMRazor's repository
    (``mmrazor/models/losses/rank_mimic.py`` at commit ae8fe9a):

    - A row is the positives of one object.
    - The softmax is over their sigmoid scores for the object's class, not over logits.
    - There is no temperature, and the divergence is weighted by the teacher's distribution.

    We differ from that implementation in these points:

    - The same anchor is in the same column on both sides. That code sorts each side separately,
      which loses which anchor has which score.
    - The mean is over all rows of a batch, not first over the objects of an image.
    - There are softmax heads, whose scores are those of their softmax.
    - There are class rows, ``over='log_odds'`` and ``temperature``.

    Args:
        over: Input of the softmax: ``'scores'``, between 0 and 1, or ``'log_odds'``. Scores give a
            flat distribution: at T = 1 no candidate is more than e times as likely as another.
        temperature: T.
        rows: ``'object'`` or ``'class'``.
        **options: ``scope``, ``candidates``, ``score_thr`` and ``loss_weight``, as of every loss
            along the candidates.

    Raises:
        ValueError: If an option is unknown or out of range.

    References:
        "Knowledge Distillation for Object Detection via Rank Mimicking and Prediction-guided
        Feature Imitation", AAAI 2022, arXiv 2112.04840, the loss of Rank Mimicking.

    Example:
        >>> import torch
        >>> from mmdet_kdrank.distillers import DistillSamples
        >>> scores = torch.tensor([[0.9], [0.5], [0.1]])  # three anchors, one class
        >>> def samples(student):
        ...     image = torch.zeros(3, dtype=torch.long)
        ...     return DistillSamples(
        ...         student.logit(), scores.logit(), image, 'sigmoid', False, num_classes=1
        ...     )
        >>> loss = RankMimicLoss(rows='class')
        >>> [f'{loss(samples(student)).abs():.3f}' for student in (scores, scores.flip(0))]
        ['0.000', '0.208']
    """

    def __init__(
        self,
        over: str = 'scores',
        temperature: float = 1.0,
        rows: str = 'object',
        **options: Any,
    ) -> None:
        super().__init__(rows, **options)
        check_choice('over', over, ('scores', 'log_odds'))
        check_positive('temperature', temperature)
        self.over = over
        self.temperature = temperature

    def row_loss(self, student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
        """Return the divergence of each row, shape (R,)."""
        p, q = (self._log_distribution(values, valid) for values in (student, teacher))
        divergence = (q.exp() * (q - p)).masked_fill(~valid, 0).sum(1)
        return self.temperature**2 * divergence

    def _log_distribution(self, values: Tensor, valid: Tensor) -> Tensor:
        if self.over == 'scores':
            values = values.sigmoid()
        return (values / self.temperature).masked_fill(~valid, -math.inf).log_softmax(1)
