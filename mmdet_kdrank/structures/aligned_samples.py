"""All rows of a head on the classes that both sides know."""

from __future__ import annotations

from dataclasses import replace

from mmdet_kdrank.structures.class_alignment import ClassAlignment
from mmdet_kdrank.structures.samples import DistillSamples


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
