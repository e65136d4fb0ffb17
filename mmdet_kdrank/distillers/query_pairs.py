"""Matching the queries of a teacher and a student, one to one and image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.task_modules import HungarianAssigner
from mmdet.registry import TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet_kdrank.scopes import register


@register(TASK_UTILS)
class SoftClassCost:
    """Half the squared distance between the class scores of two sides.

    MMDetection's class costs take one label an object. A teacher's query has a score for every
    class. Against one label with score 1 this is DETR's cost ``-p[label]``, up to a constant and
    to the squared scores of the prediction. Equal sides cost 0, the least, so equal detectors match
    each query with itself.

    Args:
        weight: Factor on the cost.

    Example:
        >>> ours = InstanceData(probabilities=torch.tensor([[0.9, 0.1], [0.0, 0.5]]))
        >>> theirs = InstanceData(probabilities=torch.tensor([[0.9, 0.1]]))
        >>> SoftClassCost(weight=2.0)(ours, theirs)
        tensor([[0.0000],
                [0.9700]])
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(
        self, pred_instances: InstanceData, gt_instances: InstanceData, *_: Any, **__: Any
    ) -> Tensor:
        """Compute the costs of all pairs, (n, m).

        Args:
            pred_instances: n queries with ``probabilities``, (n, C).
            gt_instances: m queries with ``probabilities``, (m, C).
        """
        distance = torch.cdist(
            pred_instances.probabilities,
            gt_instances.probabilities,
            compute_mode='donot_use_mm_for_euclid_dist',
        )
        return distance.square() * (self.weight / 2)


MATCH_COSTS = (
    dict(type='SoftClassCost', weight=2.0),
    dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
    dict(type='IoUCost', iou_mode='giou', weight=2.0),
)
"""The weights are those of Deformable DETR's own matching."""


BOX_COSTS = (dict(type='FocalLossCost', weight=2.0), *MATCH_COSTS[1:])
"""For boxes without scores: a query's best score, whatever its class, takes the scores' place."""


@dataclass(frozen=True)
class ImageQueries:
    """The queries of one image, on the classes that both sides know.

    Args:
        logits: (n, C), a background column last if there is one.
        boxes: x1, y1, x2, y2 in pixels of the input, (n, 4).
        activation: ``'softmax'`` or ``'sigmoid'``.
        background: Whether there is a background column.
    """

    logits: Tensor
    boxes: Tensor
    activation: str
    background: bool

    def instances(self) -> InstanceData:
        """Return what match costs need, in float32; values that are not finite count as 0."""
        logits = _finite(self.logits)
        scores = logits.sigmoid() if self.activation == 'sigmoid' else logits.softmax(1)
        return InstanceData(
            scores=logits,
            probabilities=scores[:, :-1] if self.background else scores,
            bboxes=_finite(self.boxes),
        )


def _finite(values: Tensor) -> Tensor:
    return torch.nan_to_num(values.detach().float(), 0.0, 0.0, 0.0)


class QueryMatcher:
    """Pairs the teacher's best queries with the student's by MMDetection's ``HungarianAssigner``.

    Args:
        teacher_queries: How many of the teacher's queries are matched in an image: those with the
            highest scores, and not more than the student has.
        match_costs: Configs of match costs, from ``TASK_UTILS``.

    Example:
        >>> boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [8.0, 8.0, 16.0, 16.0]])
        >>> logits = torch.tensor([[2.0, -3.0], [-3.0, 4.0]])
        >>> ours = ImageQueries(logits, boxes, 'sigmoid', background=False)
        >>> theirs = ImageQueries(logits.flip(0), boxes.flip(0), 'sigmoid', background=False)
        >>> QueryMatcher(teacher_queries=100)(ours, theirs, dict(img_shape=(16, 16)))
        (tensor([1, 0]), tensor([0, 1]))
    """

    def __init__(self, teacher_queries: int, match_costs: Sequence[dict] = MATCH_COSTS) -> None:
        self.teacher_queries = teacher_queries
        self.assigner = HungarianAssigner(match_costs=[dict(cost) for cost in match_costs])

    def __call__(
        self, student: ImageQueries, teacher: ImageQueries, meta: dict
    ) -> tuple[Tensor, Tensor]:
        """Return the indices of matched queries of both sides, (P,), the teacher's best first.

        Args:
            student: Its queries in an image.
            teacher: Its queries in the same image.
            meta: Information about the image, with ``img_shape``.
        """
        ours, theirs = student.instances(), teacher.instances()
        best, labels = theirs.probabilities.max(1)
        # A query that is not finite is matched, so that the guard sees it.
        best = best.masked_fill(~teacher.logits.isfinite().all(1), 2.0)
        number = min(self.teacher_queries, len(theirs), len(ours))
        chosen = best.topk(number).indices
        theirs.labels = labels
        objects = self.assigner.assign(ours, theirs[chosen], meta).gt_inds
        rows = (objects > 0).nonzero().squeeze(1)
        rows = rows[objects[rows].argsort()]
        return rows, chosen[objects[rows] - 1]


def pairs_of_objects(
    assigner: Any, objects: Tensor, annotated: InstanceData, teacher: ImageQueries, meta: dict
) -> tuple[Tensor, Tensor]:
    """Return the indices of the queries that both sides assign to one object, (P,).

    Args:
        assigner: The student's own, which also assigns the teacher's queries.
        objects: Index of the object of each of the student's queries, (n,), int64; -1 for none.
        annotated: The objects, their ``labels`` as columns; -1 for classes that one side lacks.
        teacher: The teacher's queries.
        meta: Information about the image.
    """
    known = (annotated.labels >= 0).nonzero().squeeze(1)
    theirs = teacher.instances()
    theirs.priors = theirs.bboxes
    assigned = assigner.assign(theirs, annotated[known], img_meta=meta).gt_inds
    of_teacher = known.new_full((len(annotated),), -1)
    of_student = of_teacher.clone()
    rows = (assigned > 0).nonzero().squeeze(1)
    of_teacher[known[assigned[rows] - 1]] = rows
    rows = (objects >= 0).nonzero().squeeze(1)
    of_student[objects[rows]] = rows
    both = (of_student >= 0) & (of_teacher >= 0)
    return of_student[both], of_teacher[both]


def queries_at_boxes(queries: ImageQueries, boxes: Tensor, meta: dict) -> Tensor:
    """Return the index of the query at each box, (N,).

    Boxes and queries are matched one to one by box and by the query's best score. If there are more
    boxes than queries, each of the others gets the query with the lowest cost.

    Args:
        queries: n queries of an image.
        boxes: x1, y1, x2, y2 in pixels of the input, (N, 4).
        meta: Information about the image, with ``img_shape``.
    """
    instances = queries.instances()
    instances.scores = torch.logit(instances.probabilities.amax(1, keepdim=True), eps=1e-6)
    labels = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
    objects = InstanceData(bboxes=boxes.float(), labels=labels)
    assigner = HungarianAssigner(match_costs=[dict(cost) for cost in BOX_COSTS])
    costs = [cost(instances, objects, meta) for cost in assigner.match_costs]
    nearest = torch.stack(costs).sum(0).argmin(0)
    assigned = assigner.assign(instances, objects, meta).gt_inds
    rows = (assigned > 0).nonzero().squeeze(1)
    nearest[assigned[rows] - 1] = rows
    return nearest
