"""The matching of queries, with all permutations for an oracle."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules import HungarianAssigner
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData

from mmdet_kdrank.distillers.query_pairs import (
    MATCH_COSTS,
    ImageQueries,
    QueryMatcher,
    pairs_of_objects,
    queries_at_boxes,
)

META = dict(img_shape=(48, 64))


def queries(number, seed, activation='sigmoid', classes=4):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(number, 2, generator=generator) * torch.tensor([40.0, 30.0])
    size = torch.rand(number, 2, generator=generator) * 16 + 2
    columns = classes + (activation == 'softmax')
    logits = torch.randn(number, columns, generator=generator) * 2
    boxes = torch.cat([corner, corner + size], 1)
    return ImageQueries(logits, boxes, activation, background=activation == 'softmax')


def taken(side, index):
    return ImageQueries(side.logits[index], side.boxes[index], side.activation, side.background)


def scores(side):
    if side.activation == 'sigmoid':
        return 1 / (1 + torch.exp(-side.logits))
    exponentials = side.logits.exp()
    return (exponentials / exponentials.sum(1, keepdim=True))[:, :-1]


def cost(ours, theirs):
    """The cost of each pair, written out."""
    matrix = torch.zeros(len(ours.logits), len(theirs.logits))
    shape = torch.tensor([64.0, 48, 64, 48])
    for i, (p, box) in enumerate(zip(scores(ours), ours.boxes, strict=True)):
        for j, (q, other) in enumerate(zip(scores(theirs), theirs.boxes, strict=True)):
            centres = [
                torch.cat([(b[:2] + b[2:]) / 2, b[2:] - b[:2]]) / shape for b in (box, other)
            ]
            giou = bbox_overlaps(box[None], other[None], mode='giou')[0, 0]
            matrix[i, j] = (
                2 * ((p - q) ** 2).sum() / 2 + 5 * (centres[0] - centres[1]).abs().sum() - 2 * giou
            )
    return matrix


@pytest.mark.parametrize('activation', ['sigmoid', 'softmax'])
@pytest.mark.parametrize('seed', range(4))
def test_the_matching_is_the_best_of_all(activation, seed):
    ours, theirs = queries(6, seed, activation), queries(5, 100 + seed, activation)
    rows, columns = QueryMatcher(teacher_queries=3)(ours, theirs, META)
    best = scores(theirs).amax(1).argsort(descending=True)[:3]
    assert columns.tolist() == best.tolist()
    matrix = cost(ours, theirs)[:, best]
    totals = {
        order: sum(float(matrix[row, column]) for column, row in enumerate(order))
        for order in permutations(range(6), 3)
    }
    assert tuple(rows.tolist()) == min(totals, key=totals.get)


@given(number=st.integers(1, 12), k=st.integers(1, 15), seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_equal_queries_match_themselves(number, k, seed):
    side = queries(number, seed)
    rows, columns = QueryMatcher(teacher_queries=k)(side, side, META)
    assert torch.equal(rows, columns) and len(rows) == min(k, number)


@given(number=st.integers(1, 10), seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_queries_does_not_matter(number, seed):
    ours, theirs = queries(number, seed), queries(8, seed + 1)
    matcher = QueryMatcher(teacher_queries=5)
    rows, columns = matcher(ours, theirs, META)
    order = torch.randperm(number, generator=torch.Generator().manual_seed(seed))
    again, same_columns = matcher(taken(ours, order), theirs, META)
    assert torch.equal(order[again], rows) and torch.equal(same_columns, columns)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(seed))
    same_rows, again = matcher(ours, taken(theirs, order), META)
    assert torch.equal(order[again], columns) and torch.equal(same_rows, rows)


def test_no_more_pairs_than_the_student_has_queries():
    rows, columns = QueryMatcher(teacher_queries=100)(queries(3, 0), queries(9, 1), META)
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == 3


def test_mmdetections_own_costs_see_the_teachers_best_class():
    ours, theirs = queries(6, 2), queries(4, 3)
    costs = (dict(type='FocalLossCost', weight=2.0), *MATCH_COSTS[1:])
    rows, columns = QueryMatcher(100, costs)(ours, theirs, META)
    labels = theirs.logits.argmax(1)
    truth = InstanceData(bboxes=theirs.boxes, labels=labels)
    predicted = InstanceData(bboxes=ours.boxes, scores=ours.logits)
    expected = HungarianAssigner(list(costs)).assign(predicted, truth, META).gt_inds
    assert {(row, column) for row, column in enumerate((expected - 1).tolist()) if column >= 0} == {
        *zip(rows.tolist(), columns.tolist(), strict=True)
    }


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_query_that_is_not_finite_is_matched(value):
    theirs = queries(6, 1)
    theirs.logits[4, 2] = value
    _, columns = QueryMatcher(teacher_queries=2)(queries(6, 0), theirs, META)
    assert columns[0] == 4


def test_pairs_of_one_object():
    """Both sides look for objects 0 and 2; the class of object 1 is known to one side alone."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [40, 20, 60, 40]])
    annotated = InstanceData(bboxes=boxes, labels=torch.tensor([3, -1, 0]))
    logits = torch.full((4, 4), -4.0)
    logits[1, 0], logits[2, 3] = 4.0, 4.0
    teacher = ImageQueries(logits, boxes[[1, 2, 0, 1]], 'sigmoid', background=False)
    costs = [
        dict(cost, type='FocalLossCost') if cost['type'] == 'SoftClassCost' else dict(cost)
        for cost in MATCH_COSTS
    ]
    objects = torch.tensor([-1, 2, 1, -1, 0])
    rows, columns = pairs_of_objects(HungarianAssigner(costs), objects, annotated, teacher, META)
    assert rows.tolist() == [4, 1] and columns.tolist() == [2, 1]


def test_no_object_is_no_pair():
    annotated = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    costs = [dict(cost) for cost in MATCH_COSTS]
    objects = torch.full((5,), -1)
    pairs = pairs_of_objects(HungarianAssigner(costs), objects, annotated, queries(4, 0), META)
    assert [len(side) for side in pairs] == [0, 0]


def test_boxes_are_matched_with_queries_that_fit_and_score():
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    places = torch.cat([boxes[[1, 0]], boxes[[0]] + 1])
    # The third fits as well as the second, nearly, and has a much higher score.
    logits = torch.tensor([[-3.0, 1], [-4, -4], [3, -4]])
    side = ImageQueries(logits, places, 'sigmoid', background=False)
    assert queries_at_boxes(side, boxes, META).tolist() == [2, 0]
    # With more boxes than queries, the last ones get the query with the lowest cost.
    found = queries_at_boxes(taken(side, [0, 2]), boxes[[0, 1, 1]], META)
    assert found.tolist() == [1, 0, 0]
    assert queries_at_boxes(side, boxes[:0], META).tolist() == []
