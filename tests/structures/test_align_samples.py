from dataclasses import replace

import pytest
import torch

from mmdet_kdrank.distillers import DistillSamples, GroundTruth
from mmdet_kdrank.structures.class_alignment import align_classes
from mmdet_kdrank.structures.samples import align_samples

# Of the student's classes the teacher knows c and a, in another order, and one more.
CLASSES = align_classes(('c', 'x', 'a'), ('a', 'b', 'c'), 3, 3)


def samples(**changes):
    student, teacher = torch.arange(16.0).view(4, 4), -torch.arange(16.0).view(4, 4)
    fields = dict(
        student=student.requires_grad_(),
        teacher=teacher,
        image=torch.tensor([0, 0, 1, 1]),
        activation='softmax',
        background=True,
        num_classes=3,
        labels=torch.tensor([0, 1, 2, 3]),
        weights=torch.ones(4),
        avg_factor=4.0,
        boxes=torch.rand(4, 4),
        ground_truth=GroundTruth(
            boxes=torch.rand(3, 4), labels=torch.tensor([2, 1, 0]), image=torch.tensor([0, 1, 1])
        ),
    )
    return DistillSamples(**{**fields, **changes})


@pytest.mark.parametrize('background', [True, False])
def test_columns_and_labels_are_those_of_the_common_classes(background):
    given = samples(background=background)
    aligned = align_samples(given, CLASSES)
    last = [3] if background else []
    assert torch.equal(aligned.student, given.student[:, [0, 2, *last]])
    assert torch.equal(aligned.teacher, given.teacher[:, [2, 0, *last]])
    assert aligned.num_classes == 2
    assert aligned.background == background
    assert aligned.labels.tolist() == [0, -1, 1, 2]
    assert aligned.positive().tolist() == [True, False, True, False]
    assert aligned.ground_truth.labels.tolist() == [1, -1, 0]
    assert aligned.student.requires_grad
    for name in ('image', 'weights', 'avg_factor', 'boxes', 'activation'):
        assert getattr(aligned, name) is getattr(given, name)


def test_what_is_not_known_stays_so():
    aligned = align_samples(samples(labels=None, boxes=None, ground_truth=None), CLASSES)
    assert aligned.labels is aligned.boxes is aligned.ground_truth is None


def test_ignored_rows_stay_ignored():
    given = replace(samples(), labels=torch.tensor([-1, 0, -1, 3]))
    assert align_samples(given, CLASSES).labels.tolist() == [-1, 0, -1, 2]


def test_the_same_classes_copy_no_logits():
    """A dense head has gigabytes of them."""
    same = align_classes(('a', 'b', 'c'), ('a', 'b', 'c'), 3, 3)
    given = samples()
    aligned = align_samples(given, same)
    assert aligned.student is given.student and aligned.teacher is given.teacher
