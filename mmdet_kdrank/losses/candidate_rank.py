"""The Kendall ranking loss along the candidates."""

from __future__ import annotations

from typing import Any

from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.losses.candidate_base import CandidateLoss
from mmdet_kdrank.losses.kendall_rank import KendallRankLoss
from mmdet_kdrank.ops import FORMS
from mmdet_kdrank.scopes import register

# Its reduction, class groups and seed have no meaning along the candidates.
_OF_KENDALL_RANK = ('steepness', 'surrogate', 'form', 'standardize')
_OF_KENDALL_RANK += ('exact_teacher', 'eps', 'standardize_eps', 'backend')


@register(MODELS)
class CandidateRankLoss(CandidateLoss):
    r"""``1 - tau`` between the student's and the teacher's log-odds of the candidates of a row.

    Average precision sorts the detections of a class by score. This loss asks the student to sort
    the teacher's candidates as the teacher does, where ``KendallRankLoss`` asks for the order of
    the classes of each. Both go into ``distill_losses`` together, beside any logit KD. See
    ``docs/explanation/candidate_ranking.md``.

    Args:
        **options: Of the rows: ``rows``, ``scope``, ``candidates``, ``score_thr`` and
            ``loss_weight``, as of every loss along the candidates. Of the coefficient:
            ``steepness``, ``surrogate``, ``form``, ``standardize``, ``exact_teacher``, ``eps``,
            ``standardize_eps`` and ``backend``, with the meaning and the defaults of
            ``KendallRankLoss``, per log-odds instead of logits. ``form='cosine'`` needs
            ``candidates`` of 3 or more, and with it a row of two has no gradient. No default is
            tuned.

    Raises:
        ValueError: If an option is unknown or out of range.

    References:
        The coefficient after "Enhancing Logits Distillation with Plug&Play Kendall's tau Ranking
        Loss", arXiv 2409.17823. Along the candidates it is ours; that students rank their
        candidates otherwise than teachers, and lose precision by it, is the observation of
        "Knowledge Distillation for Object Detection via Rank Mimicking and Prediction-guided
        Feature Imitation", arXiv 2112.04840.

    Example:
        >>> import torch
        >>> from mmdet_kdrank.distillers import DistillSamples
        >>> teacher = torch.tensor([[8.0], [4.0], [0.0]])  # three anchors, one class
        >>> def samples(student):
        ...     image = torch.zeros(3, dtype=torch.long)
        ...     return DistillSamples(student, teacher, image, 'sigmoid', False, num_classes=1)
        >>> loss = CandidateRankLoss(steepness=4.0)
        >>> loss(samples(teacher - 6)), loss(samples(-teacher))
        (tensor(0.), tensor(2.))
    """

    def __init__(self, **options: Any) -> None:
        rank = {name: options.pop(name) for name in _OF_KENDALL_RANK if name in options}
        super().__init__(**options)
        self.rank = KendallRankLoss(**rank)
        form = self.rank.options['form']
        if self.candidates < FORMS[form].min_columns:
            raise ArgumentError(
                f'candidates={self.candidates} with form={form!r}: the coefficient of so few is '
                f'constant. Use at least {FORMS[form].min_columns}.'
            )

    def row_loss(self, student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
        """``1 - tau`` of each row over its candidates, shape (R,)."""
        return self.rank.row_loss(student, teacher, valid)
