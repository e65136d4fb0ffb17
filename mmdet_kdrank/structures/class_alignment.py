"""Matching the classes of student and teacher by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from mmengine.logging import MessageHub, print_log
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.structures.samples import DistillSamples

Names = Sequence[str]


@dataclass(frozen=True)
class ClassAlignment:
    """Which column of the student goes with which column of the teacher.

    Args:
        student: Columns of the student, in its own order.
        teacher: The teacher's columns of the same classes.
        num_student: All classes of the student.
        num_teacher: All classes of the teacher.
    """

    student: list[int]
    teacher: list[int]
    num_student: int
    num_teacher: int

    def select(self, student: Tensor, teacher: Tensor, background: bool) -> tuple[Tensor, Tensor]:
        """Take the common columns of both sides.

        Args:
            student: Student logits, (N, num_student [+ 1]).
            teacher: Teacher logits, (N, num_teacher [+ 1]).
            background: Whether a last background column goes along.

        Returns:
            Both with the common classes, (N, C).
        """
        return (
            self._take(student, self.student, self.num_student, background),
            self._take(teacher, self.teacher, self.num_teacher, background),
        )

    @staticmethod
    def _take(logits: Tensor, columns: list[int], num_classes: int, background: bool) -> Tensor:
        wanted = columns + [num_classes] if background else columns
        if wanted == list(range(logits.shape[1])):
            return logits
        return logits[:, torch.tensor(wanted, device=logits.device)]

    def column_of(self, labels: Tensor) -> Tensor:
        """Turn the student's labels into columns of the common classes.

        Args:
            labels: Labels from 0 to ``num_student``, which is background; negative ones
                are ignored rows.

        Returns:
            Column of each label, the last column for background, -1 for ignored rows and
            for classes that the teacher does not know.
        """
        lookup = labels.new_full((self.num_student + 2,), -1)
        lookup[self.student] = torch.arange(len(self.student), device=labels.device)
        lookup[self.num_student] = len(self.student)
        return lookup[labels.clamp(min=-1)]


def align_classes(
    student_names: Names | None, teacher_names: Names | None, num_student: int, num_teacher: int
) -> ClassAlignment:
    """Match two label sets by name.

    Args:
        student_names: Class names of the student's training set.
        teacher_names: Class names the teacher was trained with.
        num_student: Foreground classes of the student's head.
        num_teacher: Foreground classes of the teacher's head.

    Returns:
        The common classes, in the student's order.

    Raises:
        ValueError: If names do not fit their head, the sets share no class, or, where names are
            unknown, the counts differ.
    """
    for side, names, count in (
        ('student', student_names, num_student),
        ('teacher', teacher_names, num_teacher),
    ):
        if names is not None and len(names) != count:
            raise ArgumentError(
                f'The {side} has {len(names)} class names ({_listed(names)}) but a head of '
                f'{count} classes. Set num_classes of its head, or the metainfo of its data set, '
                'so that they agree.'
            )
    if student_names is None or teacher_names is None:
        if num_student != num_teacher:
            unknown = 'student' if student_names is None else 'teacher'
            raise ArgumentError(
                f'The student has {num_student} classes, the teacher {num_teacher}, and the '
                f"{unknown}'s class names are unknown, so they cannot be matched by name. Give "
                'a teacher checkpoint whose meta names its classes, or a teacher config with a '
                'train_dataloader.'
            )
        every = list(range(num_student))
        return ClassAlignment(every, every, num_student, num_teacher)

    column = {name: index for index, name in enumerate(teacher_names)}
    common = [index for index, name in enumerate(student_names) if name in column]
    if not common:
        raise ArgumentError(
            'Student and teacher have no class name in common, so there is nothing to distil. '
            f'Student: {_listed(student_names)}. Teacher: {_listed(teacher_names)}. Use a teacher '
            "trained on the student's classes, or rename them in the data set's metainfo."
        )
    missing = [name for name in student_names if name not in column]
    if missing:
        print_log(
            f"The teacher knows {len(common)} of the student's {num_student} classes; not "
            f'distilled: {_listed(missing)}.',
            logger='current',
        )
    teacher = [column[student_names[index]] for index in common]
    return ClassAlignment(common, teacher, num_student, num_teacher)


def align_samples(samples: DistillSamples, classes: ClassAlignment) -> DistillSamples:
    """Match the columns of both sides by class, and count labels in these columns.

    Args:
        samples: Rows as the two heads gave them, each in its own columns.
        classes: Which columns belong together.

    Returns:
        The same rows, (N, C) on both sides, the background last where the heads
        have one. ``num_classes`` counts the common
        classes; labels and those of the ground truth are columns, ``num_classes`` for background,
        and -1 for ignored rows and for classes that the teacher does not know.
    """
    student, teacher = classes.select(samples.student, samples.teacher, samples.background)
    labels, objects = samples.labels, samples.ground_truth
    if objects is not None:
        objects = replace(objects, labels=classes.column_of(objects.labels))
    return replace(
        samples,
        student=student,
        teacher=teacher,
        num_classes=len(classes.student),
        labels=None if labels is None else classes.column_of(labels),
        ground_truth=objects,
    )


def training_classes() -> tuple[str, ...] | None:
    """Class names of the training set, as the runner's message hub has them; None without."""
    meta = MessageHub.get_current_instance().get_info('dataset_meta') or {}
    classes = meta.get('classes')
    return tuple(classes) if classes else None


def _listed(names: Names, most: int = 8) -> str:
    shown = ', '.join(map(str, names[:most]))
    return shown if len(names) <= most else f'{shown}, … ({len(names)} in all)'
