"""Rank Mimicking: KL divergence along the candidates."""

from __future__ import annotations

import math
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.candidate_base import CandidateLoss
from mmdet_kdrank.ops.checks import check_choice, check_positive


@MODELS.register_module()
class RankMimicLoss(CandidateLoss):
    r"""``T^2 KL(q || p)``, with q and p the softmax over an object's candidates of their scores.

    The baseline of ``CandidateRankLoss``, on the same rows. The paper's are the positive anchors of
    one object, hence the default ``rows='object'``.

    Only the paper's abstract was at hand. The details follow an implementation of it in MMRazor's
    repository (``mmrazor/models/losses/rank_mimic.py`` at commit ae8fe9a): a row is the positives
    of one object; the softmax is over their sigmoid scores for the object's class, not over logits;
    there is no temperature; the divergence is from the teacher's side.

    Ours are: that the same anchor stands in the same column on both sides (that code first sorts
    each side by itself, after which it does not matter which anchor has which score); the mean over
    all rows of a batch (there over the objects of an image, then over images); softmax heads, whose
    scores are those of their softmax; class rows; ``over='log_odds'``; and ``temperature``.

    Args:
        over: What the softmax is over: ``'scores'``, between 0 and 1, whose distribution is flat
            (no candidate is more than e times as likely as another, at T = 1); or ``'log_odds'``.
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
