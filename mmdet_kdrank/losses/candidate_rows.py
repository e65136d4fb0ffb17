r"""Rows along the candidates: which samples are compared with each other, and by what value.

The value of sample n in a row of class c is the log-odds of its score for c,

    v = log p_c / (1 - p_c)

which for a sigmoid head is the logit itself, and for a softmax head

    v = z_c - log sum_{k != c} exp(z_k).

The logit z_c of a softmax head would not do: adding a constant to all logits of one RoI leaves its
scores as they are, and moves it past other RoIs. Detections are sorted by score, and the log-odds
order them in the same way without saturating.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

from mmdet_kdrank.structures.samples import DistillSamples


@dataclass(frozen=True)
class CandidateRows:
    """R rows of up to M candidates.

    Args:
        index: Which sample stands there, best of the teacher first, int64, shape (R, M).
        valid: Whether one stands there, bool, shape (R, M). At least two in each row.
        column: Class of each row, int64, shape (R,).
    """

    index: Tensor
    valid: Tensor
    column: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def values(self, logits: Tensor, softmax: bool) -> Tensor:
        """Log-odds of each row's class.

        Args:
            logits: Of all samples, shape (N, C).
            softmax: Whether scores are their softmax; else their sigmoid.

        Returns:
            Shape (R, M), float32 or float64; of no meaning where not valid.
        """
        return log_odds(logits, self.index, self.column[:, None].expand_as(self.index), softmax)


def log_odds(logits: Tensor, index: Tensor, column: Tensor, softmax: bool) -> Tensor:
    """Log-odds of single scores.

    Args:
        logits: Shape (N, C).
        index: Samples, int64, any shape.
        column: Classes, int64, of the same shape.
        softmax: Whether scores are the softmax of the logits; else their sigmoid.

    Returns:
        Of the shape of ``index``, float32 or float64.

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
    # Not from the score: near 1 it has lost what the other channels say.
    others = rows.scatter(-1, column, -math.inf).logsumexp(-1)
    return rows.gather(-1, column).squeeze(-1) - others


def class_rows(
    samples: DistillSamples, most: int, score_thr: float, per_image: bool
) -> CandidateRows:
    """Return, for every class that the teacher sees, a row of the samples it scores highest.

    Args:
        samples: Those of one head, aligned.
        most: M.
        score_thr: The teacher sees a class where a sample has at least this score for it.
        per_image: A row for each image and class; else the samples of all images compete.

    Returns:
        The rows, by image and then by class.
    """
    softmax = samples.activation == 'softmax'
    threshold = math.log(score_thr) if softmax else math.log(score_thr / (1 - score_thr))
    scores = samples.teacher.float().log_softmax(1) if softmax else samples.teacher
    # A dense head has 200,000 anchors by 80 classes, nearly all below the threshold: few are looked
    # at by class, and sorted for the classes that are there.
    high = scores[:, : samples.num_classes].amax(1) >= threshold
    nothing = samples.image.new_zeros(0)
    index, length, column = [nothing.view(0, most)], [nothing], [nothing]
    for group in _groups(samples.image, per_image):
        certain = scores[group[high[group]], : samples.num_classes] >= threshold
        seen = certain.any(0).nonzero().squeeze(1)
        of_seen = scores[group[:, None], seen].float()
        best = of_seen.topk(min(most, len(group)), dim=0).indices.t()
        index.append(F.pad(group[best], (0, most - best.shape[1])))
        length.append(torch.full_like(seen, best.shape[1]))
        column.append(seen)
    valid = torch.arange(most, device=nothing.device) < torch.cat(length)[:, None]
    return CandidateRows(torch.cat(index), valid, torch.cat(column))


def object_rows(samples: DistillSamples, most: int) -> CandidateRows:
    """Return a row for every object of the ground truth that has two positive samples or more.

    Positives are the student's own. Its assignment is known by class alone, so a positive belongs
    to the object of its class that its box overlaps most. For points, whose box is their cell, that
    is the smallest of the objects that hold the cell, as FCOS assigns them.

    Args:
        samples: Those of one head, aligned, with labels, boxes and ground truth.
        most: M; of more positives, those that the teacher scores highest for the class.

    Returns:
        The rows, in the order of the objects.
    """
    objects = samples.ground_truth
    owner, positive = _owners(samples, samples.positive().nonzero().squeeze(1))
    label = samples.labels[positive]
    score = log_odds(samples.teacher, positive, label, samples.activation == 'softmax')
    # By object, and there by score.
    order = score.argsort(descending=True)
    order = order[owner[order].argsort(stable=True)]
    owner, positive = owner[order], positive[order]
    count = torch.bincount(owner, minlength=len(objects))
    place = torch.arange(len(owner), device=owner.device) - (count.cumsum(0) - count)[owner]
    kept = count >= 2
    row = kept.cumsum(0)[owner] - 1
    stays = kept[owner] & (place < most)
    index = positive.new_zeros(int(kept.sum()), most)
    index[row[stays], place[stays]] = positive[stays]
    valid = torch.arange(most, device=owner.device) < count[kept][:, None]
    return CandidateRows(index, valid, objects.labels[kept])


def _groups(image: Tensor, per_image: bool) -> Iterator[Tensor]:
    """Return indices of the samples that compete with each other, groups of two or more."""
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
    overlap = bbox_overlaps(samples.boxes[positive], objects.boxes)
    same = samples.image[positive][:, None] == objects.image
    same &= samples.labels[positive][:, None] == objects.labels
    best, owner = overlap.masked_fill(~same, 0).max(1)
    return owner[best > 0], positive[best > 0]
