"""What several detectors say about the same annotated boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.runs.box_agreement import class_logits, class_output_of
from mmdet_kdrank.runs.validation import Validation
from mmdet_kdrank.structures.class_alignment import align_classes
from mmdet_kdrank.teachers.teacher import Teacher


@dataclass(frozen=True)
class BoxLogits:
    """Class logits of N annotated boxes, on the K classes that students and teacher share.

    Args:
        classes: Their names.
        labels: Class of each box, (N,), int64, from 0 to K - 1.
        students: By name, (N, K), with a background channel last where every
            head has one.
        teacher: The same of the teacher.
        background: Whether there is that channel.
        softmax: How the teacher's head turns logits into scores; otherwise by a sigmoid.
    """

    classes: list[str]
    labels: Tensor
    students: dict[str, Tensor]
    teacher: Tensor
    background: bool
    softmax: bool

    def teacher_score(self) -> Tensor:
        """Return the teacher's highest foreground probability of each box, (N,)."""
        scores = self.teacher.softmax(1) if self.softmax else self.teacher.sigmoid()
        return scores[:, : len(self.classes)].amax(1)

    def teacher_likeness(self) -> Tensor:
        """How likely the teacher finds each class, the background aside, (N, K)."""
        foreground = self.teacher[:, : len(self.classes)]
        return foreground.softmax(1) if self.softmax else foreground.sigmoid()


@torch.no_grad()
def box_logits(
    students: Mapping[str, Teacher], teacher: Teacher, validation: Validation
) -> BoxLogits:
    """Ask detectors about the annotated boxes of a validation set.

    :func:`~mmdet_kdrank.runs.box_agreement.class_logits` says how: two-stage detectors classify
    them, dense ones are asked at the prior that overlaps a box most.

    Args:
        students: By name; of the validation set's classes.
        teacher: May know other classes beside.
        validation: The images.

    Returns:
        On the CPU, in float32.

    Raises:
        ValueError: If a student has other classes, the teacher none of them, or nothing is
            annotated.
    """
    for name, student in students.items():
        if student.classes is not None and student.classes != validation.classes:
            raise ArgumentError(
                f'{name} knows other classes than the validation set of the first run, so that '
                'the two cannot be compared there. Give runs on one data set.'
            )
    detectors = [*students.values(), teacher]
    outputs = [class_output_of(each.model) for each in detectors]
    background = all(output.background for output in outputs)
    alignment = align_classes(
        validation.classes, teacher.classes, len(validation.classes), outputs[-1].num_classes
    )
    labels, rows = [], [[] for _ in detectors]
    for picture in validation:
        if not len(picture.truth):
            continue
        found = [
            class_logits(each.model, picture.batch, [picture.input_boxes]) for each in detectors
        ]
        found = [logits.float().cpu() for logits in found]
        for ours, into in zip(found[:-1], rows[:-1], strict=True):
            into.append(alignment.select(ours, found[-1], background)[0])
        rows[-1].append(alignment.select(found[0], found[-1], background)[1])
        labels.append(alignment.column_of(picture.truth.labels))
    if not labels:
        raise ArgumentError('No validation image has an annotated box. Look at more of them.')
    known = torch.cat(labels) >= 0
    *ours, theirs = (torch.cat(parts)[known] for parts in rows)
    return BoxLogits(
        classes=[validation.classes[index] for index in alignment.student],
        labels=torch.cat(labels)[known],
        students=dict(zip(students, ours, strict=True)),
        teacher=theirs,
        background=background,
        softmax=outputs[-1].activation == 'softmax',
    )
