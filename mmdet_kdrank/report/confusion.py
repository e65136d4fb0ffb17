"""Which classes a student confuses, and which ones its teacher finds similar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mmdet_kdrank.runs.box_logits import BoxLogits

_NAMED = 40  # more classes than that have no room for their names


def confusion(logits: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Count boxes by their true class and the class with the highest logit.

    Args:
        logits: (N, at least ``num_classes``); further columns, as the background, do not count.
        labels: True classes, (N,).
        num_classes: K.

    Returns:
        (K, K), int64: true class, then predicted class.

    Example:
        >>> logits = torch.tensor([[2.0, 1, 9], [3, 1, 0], [0, 1, 0]])
        >>> confusion(logits, torch.tensor([0, 1, 1]), 2)
        tensor([[1, 0],
                [1, 1]])
    """
    predicted = logits[:, :num_classes].argmax(1)
    cells = torch.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def row_shares(counts: Tensor) -> Tensor:
    """Divide rows by their sums; rows without a count stay 0. (K, K) -> (K, K), float64."""
    return counts.double() / counts.sum(1, keepdim=True).clamp(min=1)


def similarity(boxes: BoxLogits) -> Tensor:
    """Return the mean probability that the teacher gives to each class on the boxes of each class.

    Returns:
        (K, K): true class, then class; NaN in the rows of classes without a box.
    """
    count = len(boxes.classes)
    likeness = boxes.teacher_likeness()
    return torch.stack([likeness[boxes.labels == label].mean(0) for label in range(count)])


def errors_among_similar(counts: Tensor, alike: Tensor, k: int) -> float:
    """Return the share of the errors that fall on the k classes that the teacher finds similar.

    Args:
        counts: Result of :func:`confusion`, (K, K).
        alike: Result of :func:`similarity`, (K, K).
        k: From 1 to K - 1. Random errors would have the share k / (K - 1).

    Returns:
        In [0, 1]; NaN without any error.
    """
    diagonal = torch.eye(len(counts), dtype=torch.bool)
    errors = counts.masked_fill(diagonal, 0)
    nearest = alike.nan_to_num(0).masked_fill(diagonal, -1).topk(k, dim=1).indices
    total = int(errors.sum())
    return float(errors.gather(1, nearest).sum()) / total if total else float('nan')


def confusion_summary(boxes: BoxLogits, ks: Sequence[int] = (1, 3, 5)) -> dict:
    """Compare the students' errors with the teacher's similarities.

    Args:
        boxes: Logits of students and teacher.
        ks: See :func:`errors_among_similar`; those of K - 1 or more are left out.

    Returns:
        ``classes``, ``boxes``, ``similarity`` and ``chance`` (by k), and, by student under
        ``students``: ``counts``, ``right`` (share of boxes), ``errors`` (their number),
        ``among_similar`` (by k) and ``background`` (share of boxes whose highest logit is the
        background's; None where a head has no such channel).
    """
    count = len(boxes.classes)
    ks = [k for k in ks if k < count - 1]
    alike = similarity(boxes)
    students = {}
    for name, logits in boxes.students.items():
        counts = confusion(logits, boxes.labels, count)
        right = int(counts.trace())
        students[name] = {
            'counts': counts.tolist(),
            'right': right / len(boxes.labels),
            'errors': len(boxes.labels) - right,
            'among_similar': {str(k): errors_among_similar(counts, alike, k) for k in ks},
            'background': (
                float((logits.argmax(1) == count).double().mean()) if boxes.background else None
            ),
        }
    return {
        'classes': boxes.classes,
        'boxes': len(boxes.labels),
        'similarity': alike.nan_to_num(0).tolist(),
        'chance': {str(k): k / (count - 1) for k in ks},
        'students': students,
    }


def plot_confusion(summary: dict, path: Path | str) -> None:
    """Plot the teacher's similarity and each student's confusion, without the diagonal.

    Args:
        summary: Result of :func:`confusion_summary`.
        path: Image file to write.
    """
    classes = summary['classes']
    panels = {"teacher's mean score": np.array(summary['similarity'])}
    for name, student in summary['students'].items():
        title = f'{name}: {100 * student["right"]:.1f} % right'
        panels[title] = row_shares(torch.tensor(student['counts'])).numpy()
    side = max(3.2, min(6.0, 0.16 * len(classes)))
    figure = Figure(figsize=(side * len(panels) + 1.2, side + 0.9), layout='constrained')
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (title, matrix) in zip(axes, panels.items(), strict=True):
        wrong = np.where(np.eye(len(classes), dtype=bool), np.nan, matrix)
        top = np.nanmax(wrong) if len(classes) > 1 else 1
        image = axis.imshow(wrong, cmap='viridis', vmin=0, vmax=top or 1)
        axis.set(title=title, xlabel='taken for')
        ticks = range(len(classes)) if len(classes) <= _NAMED else []
        axis.set_xticks(ticks, [classes[i] for i in ticks], rotation=90, fontsize=6)
        axis.set_yticks(ticks, [classes[i] for i in ticks], fontsize=6)
        figure.colorbar(image, ax=axis, shrink=0.7)
    axes[0].set_ylabel('true class')
    figure.savefig(path, dpi=100)
