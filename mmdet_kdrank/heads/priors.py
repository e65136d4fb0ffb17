"""The priors (anchors or points) of dense heads: comparing those of two heads, and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError
from mmdet_kdrank.heads.class_output import ClassOutput
from mmdet_kdrank.ops.suggestions import class_name


def assert_comparable(student: nn.Module, teacher: nn.Module, priors: str) -> None:
    """Refuse two dense heads whose priors, or cells, are not the same.

    Args:
        student: The student's head.
        teacher: The teacher's head.
        priors: ``'same'`` to compare the priors themselves, ``'cell'`` to compare the strides.

    Raises:
        TypeError: If a head has no prior generator.
        ValueError: If levels, strides or priors differ.
    """
    # Heads that predict the shape of their anchors begin with squares.
    generators = [
        getattr(head, 'prior_generator', getattr(head, 'square_anchor_generator', None))
        for head in (student, teacher)
    ]
    if None in generators:
        names = ' or '.join(class_name(type(head)) for head in (student, teacher))
        raise ArgumentTypeError(
            f'{names} has no prior_generator, so whether the rows of student and teacher '
            'correspond is not known.'
        )
    levels = [generator.num_levels for generator in generators]
    if levels[0] != levels[1]:
        raise ArgumentError(
            f"The student's head has {levels[0]} levels, the teacher's {levels[1]}. Give both "
            'the same neck outputs and strides.'
        )
    if priors == 'cell':
        strides = [list(map(tuple, generator.strides)) for generator in generators]
        if strides[0] != strides[1]:
            raise ArgumentError(
                f"The student's levels have the strides {strides[0]}, the teacher's {strides[1]}, "
                'so that their cells do not correspond. Give both the same strides.'
            )
        return
    # A small grid shows differences in strides, offsets and priors of a cell.
    student_grids, teacher_grids = (
        map(get_box_tensor, generator.grid_priors([(2, 3)] * count, device='cpu'))
        for generator, count in zip(generators, levels, strict=True)
    )
    for level, (a, b) in enumerate(zip(student_grids, teacher_grids, strict=True)):
        if a.shape != b.shape or not torch.allclose(a, b):
            raise ArgumentError(
                f'Student and teacher place different priors on level {level}: '
                f'{_described(generators[0], a)}, against {_described(generators[1], b)}. Give the '
                "student the teacher's prior generator (strides, scales, ratios); priors='cell' "
                'compares the cells of sigmoid heads that differ only in their priors.'
            )


def assert_same_cells(student: ClassOutput, teacher: ClassOutput) -> None:
    """Raise ValueError if two heads without priors, such as heat maps, have other cells.

    Args:
        student: Declaration of the student's class output.
        teacher: Declaration of the teacher's.
    """
    if student.cells != teacher.cells:
        raise ArgumentError(
            f'The student classifies {student.cells or "priors"}, the teacher '
            f'{teacher.cells or "priors"}, so that their rows do not correspond. Choose a teacher '
            "with the student's cells."
        )


def _described(generator: Any, grid: Tensor) -> str:
    """Describe a prior generator by its priors on a grid of six cells."""
    first = ', '.join(f'{value:g}' for value in grid[0].tolist())
    return f'{type(generator).__name__} with {len(grid) // 6} a cell, the first at ({first})'


def prior_boxes(head: nn.Module, maps: Sequence[Tensor]) -> Tensor:
    """Return the boxes of all priors of a batch, in the order of their class logits.

    The box of a point is its cell: a square with the stride of the level, centred at the point.

    Args:
        head: A dense head with MMDetection's ``prior_generator``.
        maps: Its class maps, one a level, (B, channels, H, W).

    Returns:
        Boxes x1, y1, x2, y2 in pixels of the input, (N, 4), by level and then by image. Those of
        rotated anchors have 5 values.

    Raises:
        TypeError: If the head has no prior generator.
    """
    generator = getattr(head, 'prior_generator', None)
    if generator is None:
        raise ArgumentTypeError(
            f'{class_name(type(head))} has no prior_generator, so there are no boxes of its rows. '
            'Leave out the losses that compare boxes, such as RankMimicLoss.'
        )
    sizes = [tuple(level.shape[-2:]) for level in maps]
    levels = generator.grid_priors(sizes, device=maps[0].device)
    boxes = []
    for level, grid, stride in zip(maps, levels, generator.strides, strict=True):
        priors = get_box_tensor(grid)
        if priors.shape[1] == 2:
            half = priors.new_tensor(stride) / 2
            priors = torch.cat([priors - half, priors + half], 1)
        boxes.append(priors.repeat(len(level), 1))
    return torch.cat(boxes)
