r"""Rows along the candidates: which samples are compared with each other, and by which value.

The value of sample n in a row of class c is the log-odds of its score for c,

    v = log p_c / (1 - p_c)

which for a sigmoid head is the logit itself, and for a softmax head

    v = z_c - log sum_{k != c} exp(z_k).

The logit z_c of a softmax head is no such value. A constant added to all logits of one RoI leaves
its scores unchanged, but would move it past other RoIs. Detections are sorted by score; the
log-odds give the same order and do not saturate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.structures.samples import DistillSamples


@dataclass(frozen=True)
class CandidateRows:
    """R rows of up to M candidates.

    Args:
        index: Samples of each row, the teacher's best first, int64, shape (R, M).
        valid: Which entries of ``index`` are used, at least two per row, bool, shape (R, M).
        column: Class of each row, int64, shape (R,).
    """

    index: Tensor
    valid: Tensor
    column: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def values(self, logits: Tensor, softmax: bool) -> Tensor:
        """Return the log-odds of each row's class.

        Args:
            logits: Of all samples, shape (N, C).
            softmax: Whether scores are their softmax; otherwise their sigmoid.

        Returns:
            Shape (R, M), float32 or float64; arbitrary where not valid.
        """
        return log_odds(logits, self.index, self.column[:, None].expand_as(self.index), softmax)


def log_odds(logits: Tensor, index: Tensor, column: Tensor, softmax: bool) -> Tensor:
    """Return the log-odds of single scores.

    Args:
        logits: Shape (N, C).
        index: Samples, int64, any shape.
        column: Classes, int64, of the same shape.
        softmax: Whether scores are the softmax of the logits; otherwise their sigmoid.

    Returns:
        The shape of ``index``, float32 or float64.

    Example:
        >>> logits, first = torch.tensor([[40.0, 0.0, 0.0]]), torch.tensor([0])
        >>> log_odds(logits, first, first, softmax=False)
        tensor([40.])
        >>> log_odds(logits, first, first, softmax=True), logits.softmax(1).logit()[:, 0]
        (tensor([39.3069]), tensor([inf]))
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    if not softmax:
        return logits[index, column].to(dtype)
    rows, column = logits[index].to(dtype), column[..., None]
    # Not computed from the score: rounding a score near 1 loses the other channels.
    others = rows.scatter(-1, column, -math.inf).logsumexp(-1)
    return rows.gather(-1, column).squeeze(-1) - others


def class_rows(
    samples: DistillSamples, most: int, score_thr: float, per_image: bool
) -> CandidateRows:
    """Return, for every class that the teacher sees, a row of the samples it scores highest.

    Args:
        samples: Those of one head, aligned.
        most: M.
        score_thr: The teacher sees a class if a sample has at least this score for it.
        per_image: A row for each image and class; otherwise the samples of all images compete.

    Returns:
        The rows, by image and then by class.
    """
    softmax = samples.activation == 'softmax'
    threshold = math.log(score_thr) if softmax else math.log(score_thr / (1 - score_thr))
    scores = samples.teacher.float().log_softmax(1) if softmax else samples.teacher
    # A dense head has 200,000 anchors by 80 classes, nearly all below the threshold. So the anchors
    # are filtered first, and sorted for the classes that the teacher sees alone.
    above_threshold = scores[:, : samples.num_classes].amax(1) >= threshold
    empty = samples.image.new_zeros(0)
    index, length, column = [empty.view(0, most)], [empty], [empty]
    for group in _groups(samples.image, per_image):
        anchors = group[above_threshold[group]]
        seen_by_anchor = scores[anchors, : samples.num_classes] >= threshold
        seen_classes = seen_by_anchor.any(0).nonzero().squeeze(1)
        class_scores = scores[group[:, None], seen_classes].float()
        best = class_scores.topk(min(most, len(group)), dim=0).indices.t()
        index.append(F.pad(group[best], (0, most - best.shape[1])))
        length.append(torch.full_like(seen_classes, best.shape[1]))
        column.append(seen_classes)
    valid = torch.arange(most, device=empty.device) < torch.cat(length)[:, None]
    return CandidateRows(torch.cat(index), valid, torch.cat(column))


def object_rows(samples: DistillSamples, most: int) -> CandidateRows:
    """Return a row for every object of the ground truth that has two positive samples or more.

    Positives are those of the student's assignment. It is known by class alone, so a positive
    belongs to the object of its class that its box overlaps most. The box of a point is its cell.
    So a point belongs to the smallest object that contains its cell, as FCOS assigns points.

    Args:
        samples: Those of one head, aligned, with labels, boxes and ground truth.
        most: M; of more positives, the row keeps those that the teacher scores highest.

    Returns:
        The rows, in the order of the objects.
    """
    objects = samples.ground_truth
    owner, positive = _owners(samples, samples.positive().nonzero().squeeze(1))
    label = samples.labels[positive]
    score = log_odds(samples.teacher, positive, label, samples.activation == 'softmax')
    # Sort by object, and within an object by score.
    order = score.argsort(descending=True)
    order = order[owner[order].argsort(stable=True)]
    owner, positive = owner[order], positive[order]
    count = torch.bincount(owner, minlength=len(objects))
    rank = torch.arange(len(owner), device=owner.device) - (count.cumsum(0) - count)[owner]
    has_row = count >= 2
    row = has_row.cumsum(0)[owner] - 1
    kept = has_row[owner] & (rank < most)
    index = positive.new_zeros(int(has_row.sum()), most)
    index[row[kept], rank[kept]] = positive[kept]
    valid = torch.arange(most, device=owner.device) < count[has_row][:, None]
    return CandidateRows(index, valid, objects.labels[has_row])


def _groups(image: Tensor, per_image: bool) -> Iterator[Tensor]:
    """Yield the indices of samples that compete with each other, in groups of two or more."""
    if per_image:
        last = int(image.max()) if len(image) else -1
        groups = ((image == number).nonzero().squeeze(1) for number in range(last + 1))
    else:
        groups = iter([torch.arange(len(image), device=image.device)])
    return (group for group in groups if len(group) >= 2)


def _owners(samples: DistillSamples, positive: Tensor) -> tuple[Tensor, Tensor]:
    """Return the object of each positive sample, and the samples that belong to one."""
    objects = samples.ground_truth
    if not len(objects):
        return positive[:0], positive[:0]
    for name, boxes in (('samples', samples.boxes), ('objects', objects.boxes)):
        if boxes.shape[1] != 4:
            raise ArgumentError(
                f"rows='object' compares horizontal boxes of 4 values, and those of the {name} "
                f"have {boxes.shape[1]}, as rotated ones do. Use rows='class'."
            )
    overlap = bbox_overlaps(samples.boxes[positive], objects.boxes)
    matches = samples.image[positive][:, None] == objects.image
    matches &= samples.labels[positive][:, None] == objects.labels
    best, owner = overlap.masked_fill(~matches, 0).max(1)
    return owner[best > 0], positive[best > 0]
