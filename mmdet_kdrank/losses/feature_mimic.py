"""Mean squared error of features, after a trained adapter."""

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.losses.feature_base import FeatureDistillLoss
from mmdet_kdrank.scopes import register


@register(MODELS)
class FeatureMimicLoss(FeatureDistillLoss):
    r"""``sum_levels mean (A_l(s_l) - t_l)^2``, with a 1x1 convolution A for each level l.

    The adapters convert the student's channels into the teacher's, and are trained with the
    student. The student does not keep them: ``DistillAdapterHook`` saves them for a resumed run.

    Args:
        student_channels: Channels of the student's neck, one number for each compared level.
        teacher_channels: Those of the teacher's neck. The teacher's file is not read before
            training starts, so they must be given here.
        **options: ``levels`` and ``loss_weight``, see :class:`FeatureDistillLoss`. No paper gives
            a weight for detection; 1 is our choice.

    Raises:
        ValueError: If there is not one number of channels for each level on both sides.

    References:
        "FitNets: Hints for Thin Deep Nets", arXiv 1412.6550, Eq. 3, the hint with a convolutional
        regressor. The paper halves the sum of squares. We take the mean, so that the weight depends
        neither on the channels nor on the image size.

    Example:
        >>> import torch
        >>> loss = FeatureMimicLoss([8, 8], [16, 16])
        >>> [tuple(weight.shape) for weight in loss.parameters()]
        [(16, 8, 1, 1), (16,), (16, 8, 1, 1), (16,)]
        >>> sizes = (4, 4), (2, 2)
        >>> student, teacher = ([torch.ones(1, c, *size) for size in sizes] for c in (8, 16))
        >>> loss(student, teacher).shape
        torch.Size([])
    """

    channels_fix = 'Correct teacher_channels'

    def __init__(
        self, student_channels: Sequence[int], teacher_channels: Sequence[int], **options: Any
    ) -> None:
        super().__init__(**options)
        count = len(student_channels if self.levels is None else self.levels)
        if not len(student_channels) == len(teacher_channels) == count > 0:
            raise ArgumentError(
                f'student_channels={list(student_channels)}, teacher_channels='
                f'{list(teacher_channels)} and levels={self.levels} must name the same number of '
                'levels, because every level has its own adapter.'
            )
        self.adapters = nn.ModuleList(
            nn.Conv2d(*channels, 1)
            for channels in zip(student_channels, teacher_channels, strict=True)
        )

    def adapt(self, level: Tensor, place: int) -> Tensor:
        """Return the adapter's output, shape (B, teacher_channels, h, w)."""
        adapter = self.adapters[place]
        if level.shape[1] != adapter.in_channels:
            raise ArgumentError(
                f'the adapter in place {place} takes {adapter.in_channels} channels, and the '
                f"student's level has {level.shape[1]}. Correct student_channels."
            )
        return adapter(level)

    def level_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the mean squared error."""
        return mse_loss(student, teacher)

    def _chosen(self, student_levels: int, teacher_levels: int) -> Sequence[int]:
        chosen = super()._chosen(student_levels, teacher_levels)
        if len(chosen) != len(self.adapters):
            raise ArgumentError(
                f'there are adapters for {len(self.adapters)} levels, and the necks give '
                f'{len(chosen)}. Give student_channels and teacher_channels one number per level, '
                'or name the levels to compare with levels=[…].'
            )
        return chosen
