"""Whether a loaded detector can teach a student of a family."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.heads.class_output import ClassOutput
from mmdet_kdrank.heads.refusals import reason_against
from mmdet_kdrank.teachers.teacher import Teacher


def check_teacher(teacher: Teacher, families: Sequence[type[nn.Module]]) -> None:
    """Refuse a detector of another family, or without class logits that could be compared.

    Args:
        teacher: The loaded detector.
        families: The detector classes that can teach the student.

    Raises:
        ValueError: If its class output cannot be distilled or it is of no such family.
    """
    name = type(teacher.model).__name__
    if reason := reason_against(type(teacher.model)):
        raise ArgumentError(f'{name} cannot be a teacher: {reason}.')
    if not isinstance(teacher.model, tuple(families)):
        raise ArgumentError(
            f'The teacher is a {name}, and the student needs a '
            f'{" or ".join(family.__name__ for family in families)}. Choose a teacher of the '
            "student's family."
        )


def check_outputs(outputs: Sequence[tuple[ClassOutput, ClassOutput]]) -> None:
    """Refuse heads whose logits mean different things.

    Args:
        outputs: Class outputs of each distilled head,
            the student's and the teacher's.

    Raises:
        ValueError: If activations or background channels differ.
    """
    for ours, theirs in outputs:
        if (ours.activation, ours.background) != (theirs.activation, theirs.background):
            raise ArgumentError(
                f"The student's class output is {ours}, the teacher's {theirs}: their logits "
                'mean different things. Choose a teacher whose head has the same activation '
                'and the same background channel.'
            )
