"""A student that starts with parts of its teacher."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.logging import print_log
from torch import nn

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.structures.class_alignment import training_classes

PARTS = ('neck', 'head')


@torch.no_grad()
def inherit_weights(
    student: nn.Module,
    teacher: nn.Module,
    parts: Sequence[str],
    teacher_classes: Sequence[str] | None = None,
) -> None:
    """Copy weights and buffers of the teacher where name and shape agree, and log how many.

    Args:
        student: The student's detector.
        teacher: The teacher's detector.
        parts: ``'neck'``, ``'head'`` or both. ``'head'`` is every module whose name ends with it.
        teacher_classes: The teacher's class names; None if unknown.

    Raises:
        ValueError: If a part is unknown or nothing of it agrees, or if the head's classes are not
            the student's in the same order.
    """
    if unknown := [part for part in parts if part not in PARTS]:
        raise ArgumentError(
            f'inherit={parts!r} names {", ".join(map(repr, unknown))}; choose of '
            f'{", ".join(map(repr, PARTS))}.'
        )
    _check_classes(parts, training_classes(), teacher_classes)
    own, other = student.state_dict(), teacher.state_dict()
    for part in parts:
        names = [name for name in own if name.split('.')[0].endswith(part)]
        agree = [name for name in names if name in other and own[name].shape == other[name].shape]
        if not agree:
            raise ArgumentError(
                f"inherit={parts!r}: of the student's {part}, no weight has the name and shape of "
                f"one of the teacher's. Leave {part!r} out."
            )
        for name in agree:
            own[name].copy_(other[name])
        left = [name for name in names if name not in agree]
        print_log(
            f"The student's {part} starts with {len(agree)} of {len(names)} tensors of the "
            f"teacher's.{' Not: ' if left else ''}{', '.join(left)}",
            logger='current',
        )


def _check_classes(
    parts: Sequence[str], student: Sequence[str] | None, teacher: Sequence[str] | None
) -> None:
    """Refuse a class layer whose rows mean other classes; other shapes are not copied anyway."""
    if 'head' not in parts or student is None or teacher is None:
        return
    if len(student) == len(teacher) and tuple(student) != tuple(teacher):
        raise ArgumentError(
            "inherit: the teacher's head has as many classes as the student's, but others or in "
            "another order, so its class layer means other things. Leave 'head' out, or give the "
            "training set's metainfo the teacher's order."
        )
