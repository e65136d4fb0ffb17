"""Matching the classes of student and teacher by name."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.logging import MessageHub, print_log

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops.suggestions import did_you_mean
from mmdet_kdrank.structures.samples import ClassAlignment

Names = Sequence[str]


def align_classes(
    student_names: Names | None, teacher_names: Names | None, num_student: int, num_teacher: int
) -> ClassAlignment:
    """Match two label sets by name.

    Args:
        student_names: Class names of the student's training set; None if unknown.
        teacher_names: Class names the teacher was trained with; None if unknown.
        num_student: Foreground classes of the student's head.
        num_teacher: Foreground classes of the teacher's head.

    Returns:
        The common classes, in the student's order.

    Raises:
        ValueError: If names and head differ in number, if no class is common, or if names are
            unknown and the two heads differ in number.
    """
    for side, names, count in (
        ('student', student_names, num_student),
        ('teacher', teacher_names, num_teacher),
    ):
        if names is not None and len(names) != count:
            place = (
                "meta['dataset_meta']['classes'] in its checkpoint (without that entry, the "
                "metainfo of its config's train_dataloader counts)"
                if side == 'teacher'
                else 'the metainfo of its data set'
            )
            raise ArgumentError(
                f'The {side} has {len(names)} class names ({_listed(names)}) but a head of '
                f'{count} classes. Set num_classes of its head, or {place}, so that they agree.'
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
        columns = list(range(num_student))
        return ClassAlignment(columns, columns, num_student, num_teacher)

    column = {name: index for index, name in enumerate(teacher_names)}
    common = [index for index, name in enumerate(student_names) if name in column]
    if not common:
        raise ArgumentError(
            'Student and teacher have no class name in common, so there is nothing to distil. '
            f'Student: {_listed(student_names)}. Teacher: {_listed(teacher_names)}. Use a teacher '
            "trained on the student's classes, or rename them in the data set's metainfo."
            f'{_hints(student_names, teacher_names)}'
        )
    missing = [name for name in student_names if name not in column]
    if missing:
        print_log(
            f"The teacher knows {len(common)} of the student's {num_student} classes; not "
            f'distilled: {_listed(missing)}.{_hints(missing, teacher_names)}',
            logger='current',
        )
    teacher = [column[student_names[index]] for index in common]
    return ClassAlignment(common, teacher, num_student, num_teacher)


def training_classes() -> tuple[str, ...] | None:
    """Return the training set's class names from MMEngine's message hub; None if unknown."""
    meta = MessageHub.get_current_instance().get_info('dataset_meta') or {}
    classes = meta.get('classes')
    return tuple(classes) if classes else None


def _hints(missing: Names, known: Names, most: int = 3) -> str:
    """Return questions about the first names that are similar to one of the other side."""
    hints = [f' {name}:{hint}' for name in missing[:50] if (hint := did_you_mean(name, known))]
    return ''.join(hints[:most])


def _listed(names: Names, most: int = 8) -> str:
    shown = ', '.join(map(str, names[:most]))
    return shown if len(names) <= most else f'{shown}, … ({len(names)} in all)'
