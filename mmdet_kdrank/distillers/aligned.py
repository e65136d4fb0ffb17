"""All rows of a head on the classes that both sides know: what ``requires_samples`` gets."""

from __future__ import annotations

from dataclasses import replace

from .classes import ClassAlignment
from .samples import DistillSamples


def align_samples(
    samples: DistillSamples, classes: ClassAlignment, background: bool
) -> DistillSamples:
    """Match the columns of both sides by class, and count labels in these columns.

    Args:
        samples (DistillSamples): Rows as the two heads gave them, each in its own columns.
        classes (ClassAlignment): Which columns belong together.
        background (bool): Whether a last background column goes along.

    Returns:
        DistillSamples: The same rows, (N, C) on both sides. ``num_classes`` counts the common
        classes; labels and those of the ground truth are columns, ``num_classes`` for background,
        and -1 for ignored rows and for classes that the teacher does not know.
    """
    student, teacher = classes.select(samples.student, samples.teacher, background)
    labels, objects = samples.labels, samples.ground_truth
    if objects is not None:
        objects = replace(objects, labels=classes.column_of(objects.labels))
    return replace(
        samples,
        student=student,
        teacher=teacher,
        background=background,
        num_classes=len(classes.student),
        labels=None if labels is None else classes.column_of(labels),
        ground_truth=objects,
    )
