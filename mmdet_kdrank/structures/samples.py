"""The rows (RoIs or anchors) on which student and teacher are compared, and their columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.structures.ground_truth import GroundTruth


@dataclass(frozen=True)
class DistillSamples:
    """N rows of class logits of one head, from student and teacher.

    Args:
        student: Student logits with their graph, (N, C).
        teacher: Teacher logits, (N, C), the same classes in the same order.
        image: Index in the batch of each row's image, (N,), int64.
        activation: ``'softmax'`` or ``'sigmoid'``.
        background: Whether the last column is the background.
        num_classes: Number of the student's foreground classes. Its labels run from 0 to
            ``num_classes - 1``; ``num_classes`` is background.
        labels: The student's own training labels, (N,), int64. None if its head does not give them.
        weights: The student's own label weights, (N,).
        avg_factor: The normaliser of these rows, 0 without rows. It is that of the student's class
            loss until a selector sets it. A tensor stays on its device.
        boxes: RoI, anchor or cell of each row, x1, y1, x2, y2 in pixels of the input, (N, 4).
            Rotated boxes have 5 values. Set only if a loss has ``requires_boxes``.
        ground_truth: The batch's objects; set together with ``boxes``.
        level: Index of the pyramid level of each row, (N,), int64. None for RoIs.
        num_images: Number of images, where all have equally many rows, as of a dense head. It
            spares selectors a question to the device. None where that is not known.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
        >>> samples = DistillSamples(
        ...     logits, logits, image=torch.tensor([0, 1]), activation='sigmoid',
        ...     background=False, num_classes=2)
        >>> [f'{score:.2f}' for score in samples.teacher_score()]
        ['0.88', '0.73']
    """

    student: Tensor
    teacher: Tensor
    image: Tensor
    activation: str
    background: bool
    num_classes: int
    labels: Tensor | None = None
    weights: Tensor | None = None
    avg_factor: float | Tensor | None = None
    boxes: Tensor | None = None
    ground_truth: GroundTruth | None = None
    level: Tensor | None = None
    num_images: int | None = None

    def __len__(self) -> int:
        return len(self.student)

    def positive(self) -> Tensor:
        """Mask of the rows that the student's assignment calls foreground, (N,), bool.

        Raises:
            ValueError: If the student's head does not give its labels.
        """
        if self.labels is None:
            raise ArgumentError(
                "This selector needs the labels of the student's own assignment, and its head "
                'does not pass one label a prior to loss_cls. Choose '
                "selector=dict(type='TopkSamples') or 'ScoreWeightedSamples'."
            )
        return (self.labels >= 0) & (self.labels < self.num_classes)

    def teacher_score(self) -> Tensor:
        """Return the teacher's highest foreground probability of each row, (N,), in [0, 1]."""
        if self.activation == 'sigmoid':
            foreground = self.teacher[:, :-1] if self.background else self.teacher
            return foreground.float().amax(1).sigmoid()
        scores = self.teacher.float().softmax(1)
        return (scores[:, :-1] if self.background else scores).amax(1)

    def without_background(self) -> DistillSamples:
        """Return the same rows with the foreground columns alone."""
        if not self.background:
            return self
        student, teacher = self.student[:, :-1], self.teacher[:, :-1]
        return replace(self, student=student, teacher=teacher, background=False)

    def take(self, index: Tensor) -> DistillSamples:
        """Return the rows at ``index``, (M,) int64, with weight 1 each and the normaliser M."""
        return replace(
            self,
            student=self.student[index],
            teacher=self.teacher[index],
            image=self.image[index],
            labels=None if self.labels is None else self.labels[index],
            boxes=None if self.boxes is None else self.boxes[index],
            level=None if self.level is None else self.level[index],
            weights=self.student.new_ones(len(index), dtype=torch.float32),
            avg_factor=float(len(index)),
            num_images=None,
        )


@dataclass(frozen=True)
class ClassAlignment:
    """Which column of the student goes with which column of the teacher.

    Args:
        student: Columns of the common classes, in the student's order.
        teacher: The teacher's columns of the same classes.
        num_student: Number of all classes of the student.
        num_teacher: Number of all classes of the teacher.
    """

    student: list[int]
    teacher: list[int]
    num_student: int
    num_teacher: int

    def select(self, student: Tensor, teacher: Tensor, background: bool) -> tuple[Tensor, Tensor]:
        """Take the columns of the common classes, (N, C), from the logits of both sides.

        Args:
            student: Student logits, (N, num_student [+ 1]).
            teacher: Teacher logits, (N, num_teacher [+ 1]).
            background: Whether to keep a last column for the background.
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
            labels: From 0 to ``num_student``, which is background; negative for ignored rows.

        Returns:
            The column of each label, the last column for background. It is -1 for ignored rows and
            for classes that the teacher does not know.
        """
        lookup = labels.new_full((self.num_student + 2,), -1)
        lookup[self.student] = torch.arange(len(self.student), device=labels.device)
        lookup[self.num_student] = len(self.student)
        return lookup[labels.clamp(min=-1)]


def align_samples(samples: DistillSamples, classes: ClassAlignment) -> DistillSamples:
    """Match the columns of both sides by class, and turn the labels into these columns.

    Args:
        samples: Rows as the two heads gave them, each side with its own columns.
        classes: Which columns belong together.

    Returns:
        The same rows, (N, C) on both sides, with the background last if the heads have one.
        ``num_classes`` counts the common classes. Labels, also those of the ground truth, are as
        from :meth:`ClassAlignment.column_of`.
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
