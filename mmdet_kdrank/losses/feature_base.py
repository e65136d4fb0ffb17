"""The base of every feature distillation loss: a subclass writes the formula of one level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, UnsupportedError
from mmdet_kdrank.losses.base import full_precision


class FeatureDistillLoss(nn.Module):
    """Choice of levels, checks, resizing and precision around a loss per level.

    It is called with the levels of both necks. A student's level whose size differs from the
    teacher's is resized bilinearly to the teacher's size. The loss is computed in float32 or
    float64, under autocast too. The teacher's levels are a constant. The result is the sum over the
    levels.

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
    channels_fix: str = (
        'Give both necks the same out_channels, or use FeatureMimicLoss, whose adapters convert '
        'one into the other'
    )
    """The fix that the error names if the channels of student and teacher differ."""

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
            place: Its index among the chosen levels.

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
            student_map, teacher_map = student[level], teacher[level].detach()
            if len(student_map) != len(teacher_map):
                raise ArgumentError(
                    f'level {level} has {len(student_map)} maps in the student and '
                    f'{len(teacher_map)} in the teacher, so they do not belong to the same images. '
                    "Features cannot be compared if the student's backbone or neck multiplies the "
                    'batch.'
                )
            with torch.autocast(student_map.device.type, enabled=False):
                student_map = self.adapt(full_precision(student_map), place)
                teacher_map = full_precision(teacher_map)
                if student_map.shape[1] != teacher_map.shape[1]:
                    raise ArgumentError(
                        f'level {level} has {student_map.shape[1]} channels in the student and '
                        f'{teacher_map.shape[1]} in the teacher, but {type(self).__name__} '
                        f'compares channel with channel. {self.channels_fix}.'
                    )
                size = teacher_map.shape[2:]
                if student_map.shape[2:] != size:
                    student_map = F.interpolate(
                        student_map, size, mode='bilinear', align_corners=False
                    )
                total = total + self.level_loss(student_map, teacher_map)
        return self.loss_weight * total

    def _chosen(self, student_levels: int, teacher_levels: int) -> Sequence[int]:
        counts = f"the student's neck gives {student_levels} levels, the teacher's {teacher_levels}"
        if self.levels is None:
            if student_levels != teacher_levels:
                raise ArgumentError(
                    f'{counts}. Give both necks the same levels, or name with levels=[…] the '
                    'indices at which they correspond.'
                )
            return range(student_levels)
        last = min(student_levels, teacher_levels) - 1
        if max(self.levels) > last:
            raise ArgumentError(
                f'levels={list(self.levels)} names level {max(self.levels)}, and {counts}. The '
                f'last level that both have is {last}.'
            )
        return self.levels
