"""The base of losses along the candidates: a subclass writes the formula of a row."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmdet_kdrank.distributed import global_avg_factor
from mmdet_kdrank.errors import ArgumentError, UnsupportedError
from mmdet_kdrank.losses.candidate_rows import CandidateRows, class_rows, object_rows
from mmdet_kdrank.ops.checks import check_choice, check_count
from mmdet_kdrank.structures.samples import DistillSamples


class CandidateLoss(nn.Module):
    """Compares how student and teacher score the candidates of one class or one object.

    Class-wise losses compare the classes of a RoI or anchor. Here a row is a class, its columns are
    RoIs or anchors, and its values are the log-odds of their scores for that class. So the loss
    needs all samples of a head. The distiller reads ``requires_samples`` and calls
    ``loss(samples)``, after it matched the columns by class name, and before the selector.

    The result is the sum over the rows divided by their number, at least 1. With several ranks the
    divisor is the mean number of rows per rank
    (:func:`~mmdet_kdrank.distributed.global_avg_factor`), so every rank must call the loss. Without
    rows it is zero and has a graph.

    A subclass writes :meth:`row_loss` and registers itself in ``mmdet.registry.MODELS``.

    Args:
        rows: ``'class'``: a row for every class that the teacher sees; it holds the candidates
            with the teacher's highest scores for the class. ``'object'``: a row for every annotated
            object with at least two positive samples of the student's own assignment; it holds
            these. Object rows need a head that provides its labels.
        scope: For class rows, the samples that compete: those of one ``'image'``, or of the whole
            ``'batch'`` of this process, as all images do in AP.
        candidates: The most candidates that a row has, at least 2: the teacher's best.
        score_thr: For class rows: the teacher sees a class if it gives at least one candidate this
            score. 0.05 is MMDetection's threshold for a detection.
        loss_weight: Factor on the result.

    Raises:
        ValueError: If an option is unknown or out of range, or ``scope='batch'`` meets object rows.

    Example:
        >>> class ScoreGap(CandidateLoss):
        ...     def row_loss(self, student, teacher, valid):
        ...         gap = (student.sigmoid() - teacher.sigmoid()).abs()
        ...         return gap.masked_fill(~valid, 0).sum(1)
        >>> samples = DistillSamples(
        ...     student=torch.zeros(3, 2),  # three anchors, two classes
        ...     teacher=torch.tensor([[9.0, -9.0], [-9.0, -9.0], [0.0, -9.0]]),
        ...     image=torch.zeros(3, dtype=torch.long),
        ...     activation='sigmoid',
        ...     background=False,
        ...     num_classes=2,
        ... )
        >>> loss = ScoreGap()(samples)  # the teacher sees the first class alone
        >>> f'{loss:.3f}'
        '1.000'
    """

    compares: str = 'logits'
    requires_samples: bool = True

    def __init__(
        self,
        rows: str = 'class',
        scope: str = 'image',
        candidates: int = 100,
        score_thr: float = 0.05,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        check_choice('rows', rows, ('class', 'object'))
        check_choice('scope', scope, ('image', 'batch'))
        check_count('candidates', candidates, least=2)
        if not 0 < score_thr < 1:
            raise ArgumentError(f'score_thr={score_thr!r} must be a score between 0 and 1.')
        if (rows, scope) == ('object', 'batch'):
            raise ArgumentError(
                "scope='batch' does not fit rows='object', because an object lies in one image. "
                "Leave scope out, or use rows='class'."
            )
        self.rows = rows
        self.scope = scope
        self.candidates = candidates
        self.score_thr = score_thr
        self.loss_weight = loss_weight
        self.requires_labels = self.requires_boxes = rows == 'object'

    def row_loss(self, student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
        """Return the loss of each row.

        Args:
            student: The student's log-odds, float32 or float64, shape (R, M), R >= 1.
            teacher: The teacher's, a constant, shape (R, M).
            valid: Which columns hold a candidate, at least two per row, bool, shape (R, M). The
                other columns hold arbitrary values and must have no influence.

        Returns:
            Shape (R,).
        """
        raise UnsupportedError(
            f'{type(self).__name__} must define row_loss(student, teacher, valid).'
        )

    def forward(self, samples: DistillSamples) -> Tensor:
        """Compute the loss.

        Args:
            samples: All samples of one head, aligned.

        Returns:
            A scalar.

        Raises:
            ValueError: If object rows meet samples without labels, boxes or ground truth.
        """
        softmax = samples.activation == 'softmax'
        with torch.autocast(samples.student.device.type, enabled=False):
            with torch.no_grad():
                rows = self.choose(samples)
                teacher = rows.values(samples.teacher, softmax)
            avg_factor = global_avg_factor(len(rows), samples.student.device)
            if not len(rows):
                return samples.student[:0].float().sum()
            student = rows.values(samples.student, softmax)
            loss = self.row_loss(student, teacher, rows.valid)
            return self.loss_weight * loss.sum() / avg_factor

    def choose(self, samples: DistillSamples) -> CandidateRows:
        """Return the rows of a batch."""
        if self.rows == 'class':
            return class_rows(samples, self.candidates, self.score_thr, self.scope == 'image')
        if samples.labels is None or samples.boxes is None or samples.ground_truth is None:
            raise ArgumentError(
                f"{type(self).__name__}(rows='object') needs samples with labels, boxes and "
                "ground_truth. Use rows='class', which does not need them."
            )
        return object_rows(samples, self.candidates)

    def extra_repr(self) -> str:
        """Return the options of the rows, for the printed model."""
        names = ('rows', 'scope', 'candidates', 'score_thr', 'loss_weight')
        return ', '.join(f'{name}={getattr(self, name)!r}' for name in names)
