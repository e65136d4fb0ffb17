"""The rows (RoIs or anchors) on which student and teacher are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.structures.ground_truth import GroundTruth


@dataclass(frozen=True)
class DistillSamples:
    """N rows of class logits of one head, the student's beside the teacher's.

    Args:
        student: Student logits with their graph, (N, C).
        teacher: Teacher logits, (N, C), the same classes in the same order.
        image: Index in the batch of the image a row belongs to, (N,), int64.
        activation: ``'softmax'`` or ``'sigmoid'``.
        background: Whether the last column is the background.
        num_classes: The student's foreground classes; its labels run from 0 to
            ``num_classes - 1``, background is ``num_classes``.
        labels: The student's own training labels, (N,), int64. None where
            its head does not tell.
        weights: The student's own label weights, (N,).
        avg_factor: What these rows count in the normaliser, 0 where they are
            none; the student's own, that of its class loss, until a selector sets it.
        boxes: RoI, anchor or cell of the point of each row, x1, y1, x2, y2 in
            pixels of the input, (N, 4). Set only where a loss asks with ``requires_boxes``.
        ground_truth: The batch's objects; set along with ``boxes``.
        level: Index of the pyramid level of each row, (N,), int64. None for
            RoIs, which several levels may serve.

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
    avg_factor: float | None = None
    boxes: Tensor | None = None
    ground_truth: GroundTruth | None = None
    level: Tensor | None = None

    def __len__(self) -> int:
        return len(self.student)

    def positive(self) -> Tensor:
        """Mask of the rows that the student's assignment calls foreground, (N,), bool.

        Raises:
            ValueError: If the student's head does not tell its labels.
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
        """Return the same rows on the foreground columns alone."""
        if not self.background:
            return self
        student, teacher = self.student[:, :-1], self.teacher[:, :-1]
        return replace(self, student=student, teacher=teacher, background=False)

    def take(self, index: Tensor) -> DistillSamples:
        """Return the rows that ``index`` names, (M,) int64, all with weight 1; they count M."""
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
        )
