"""The base of every feature distillation loss: a subclass writes the formula of one level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, UnsupportedError
from mmdet_kdrank.losses.precision import full_precision


class FeatureDistillLoss(nn.Module):
    """Choice of levels, checks, resizing and precision around a loss per level.

    Called with the levels of both necks. A student's level of another size than the teacher's is
    resized to it, bilinearly. Computed in float32 or better, under autocast too; the teacher's
    levels are a constant. The values of the levels are added up.

    A subclass writes :meth:`level_loss` and registers itself in ``mmdet.registry.MODELS``.

    Args:
        levels: Indices of the levels to compare, the finest being 0. None: all of them.
        loss_weight: Factor on the result.

    Raises:
        ValueError: If ``levels`` are not distinct indices from 0 on, at least one.

    Example:
        >>> class Distance(FeatureDistillLoss):
        ...     def level_loss(self, student, teacher):
        ...         return (student - teacher).abs().mean()
        >>> loss = Distance(levels=[1], loss_weight=2.0)
        >>> student = [torch.zeros(1, 8, 4, 4), torch.zeros(1, 8, 2, 2)]
        >>> loss(student, [level + 1 for level in student])
        tensor(2.)
    """

    compares: str = 'features'
    mend = (
        'Give both necks the same out_channels, or use FeatureMimicLoss, whose adapters bridge that'
    )
    """What helps where the channels of student and teacher differ."""

    def __init__(self, levels: Sequence[int] | None = None, loss_weight: float = 1.0) -> None:
        super().__init__()
        if levels is not None and not (
            levels
            and all(isinstance(level, int) and level >= 0 for level in levels)
            and len(set(levels)) == len(levels)
        ):
            raise ArgumentError(
                f'levels={levels!r} must be distinct indices from 0 on, such as [0, 1, 2]; leave '
                'it out for all levels.'
            )
        self.levels = levels
        self.loss_weight = loss_weight

    def adapt(self, level: Tensor, place: int) -> Tensor:
        """Bring a student's level to the teacher's channels; here: leave it as it is.

        Args:
            level: A level of the student, float32 or float64, shape (B, C, h, w).
            place: Where it stands among the chosen levels.

        Returns:
            Shape (B, C', h, w).
        """
        return level

    def level_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss of one level.

        Args:
            student: Shape (B, C, h, w), float32 or float64, adapted and of the teacher's size.
            teacher: Shape (B, C, h, w).

        Returns:
            A scalar.
        """
        raise UnsupportedError(f'{type(self).__name__} must define level_loss(student, teacher).')

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Compute the sum over the levels.

        Args:
            student: Levels of the student's neck, each (B, C, h, w).
            teacher: Levels of the teacher's neck, each (B, C', h', w').

        Returns:
            A scalar.

        Raises:
            ValueError: If the levels, their batches or their channels do not correspond.
        """
        total = full_precision(student[0].new_zeros(()))
        for place, level in enumerate(self._chosen(len(student), len(teacher))):
            ours, theirs = student[level], teacher[level].detach()
            if len(ours) != len(theirs):
                raise ArgumentError(
                    f'level {level} has {len(ours)} maps in the student and {len(theirs)} in the '
                    "teacher, so they do not belong to the same images. A student's backbone or "
                    'neck that multiplies the batch has no features to compare.'
                )
            with torch.autocast(ours.device.type, enabled=False):
                ours = self.adapt(full_precision(ours), place)
                theirs = full_precision(theirs)
                if ours.shape[1] != theirs.shape[1]:
                    raise ArgumentError(
                        f'level {level} has {ours.shape[1]} channels in the student and '
                        f'{theirs.shape[1]} in the teacher, and {type(self).__name__} compares '
                        f'channel with channel. {self.mend}.'
                    )
                if ours.shape[2:] != theirs.shape[2:]:
                    size = theirs.shape[2:]
                    ours = F.interpolate(ours, size, mode='bilinear', align_corners=False)
                total = total + self.level_loss(ours, theirs)
        return self.loss_weight * total

    def _chosen(self, ours: int, theirs: int) -> Sequence[int]:
        counts = f"the student's neck gives {ours} levels, the teacher's {theirs}"
        if self.levels is None:
            if ours != theirs:
                raise ArgumentError(
                    f'{counts}. Give both necks the same levels, or name with levels=[…] the '
                    'indices at which they correspond.'
                )
            return range(ours)
        if max(self.levels) >= min(ours, theirs):
            raise ArgumentError(
                f'levels={list(self.levels)} names level {max(self.levels)}, and {counts}. The '
                f'last that both have is {min(ours, theirs) - 1}.'
            )
        return self.levels
