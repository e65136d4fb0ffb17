"""Which samples stand in which row; their values are tested with the losses."""

from dataclasses import replace

import pytest
import torch
from mmdet.models.task_modules import MaxIoUAssigner
from mmengine.structures import InstanceData

from mmdet_kdrank.distillers import DistillSamples, GroundTruth
from mmdet_kdrank.losses.candidate_rows import class_rows, log_odds, object_rows
from tests.losses.candidates import HEADS, make_samples, naive_class_rows, naive_object_rows


def listed(rows):
    """(class, samples) of each row."""
    return [
        (int(column), index[valid].tolist())
        for column, index, valid in zip(rows.column, rows.index, rows.valid, strict=True)
    ]


@pytest.mark.parametrize('head', HEADS)
@pytest.mark.parametrize('per_image', [True, False])
@pytest.mark.parametrize('most', [2, 15, 50])
@pytest.mark.parametrize('score_thr', [0.05, 0.9])
def test_class_rows(head, per_image, most, score_thr):
    samples = make_samples(*head)
    rows = class_rows(samples, most, score_thr, per_image)
    assert listed(rows) == naive_class_rows(samples, most, score_thr, per_image)
    assert rows.index.shape == rows.valid.shape == (len(rows), most)


@pytest.mark.parametrize('most', [2, 3, 50])
def test_object_rows(most):
    samples = make_samples('softmax', True, rows=60)
    rows = object_rows(samples, most)
    assert listed(rows) == naive_object_rows(samples, most)
    assert len(rows) >= 4 and rows.index.shape == (len(rows), most)


@pytest.mark.parametrize('rotated', ['samples', 'objects'])
def test_rotated_boxes_are_refused(rotated):
    samples = make_samples()
    objects = samples.ground_truth
    boxes = torch.cat([samples.boxes, samples.boxes[:, :1]], 1)
    if rotated == 'samples':
        samples = replace(samples, boxes=boxes)
    else:
        more = torch.cat([objects.boxes, objects.boxes[:, :1]], 1)
        samples = replace(samples, ground_truth=replace(objects, boxes=more))
    with pytest.raises(ValueError, match=f"those of the {rotated} have 5.*Use rows='class'"):
        object_rows(samples, 5)


def test_an_image_without_samples_has_no_rows():
    samples = make_samples()
    samples = replace(samples, image=2 * samples.image)
    assert len(class_rows(samples, 5, 0.05, True)) == len(naive_class_rows(samples, 5, 0.05, True))


def test_positives_go_to_the_object_that_the_assigner_gave_them():
    """RetinaNet's assigner, where an object of another class does not overlap more."""
    generator = torch.Generator().manual_seed(0)
    corner = 60 * torch.rand(12, 2, generator=generator)
    truth = torch.cat([corner, corner + 10 + 40 * torch.rand(12, 2, generator=generator)], 1)
    labels = torch.arange(12) % 3
    anchors = truth.repeat(20, 1) + 8 * torch.randn(240, 4, generator=generator)
    assigned = MaxIoUAssigner(0.5, 0.4, match_low_quality=False).assign(
        InstanceData(priors=anchors), InstanceData(bboxes=truth, labels=labels)
    )
    owner = assigned.gt_inds - 1
    samples = DistillSamples(
        student=torch.zeros(240, 3),
        teacher=torch.randn(240, 3, generator=generator),
        image=torch.zeros(240, dtype=torch.long),
        activation='sigmoid',
        background=False,
        num_classes=3,
        labels=labels[owner].where(owner >= 0, 3),
        boxes=anchors,
        ground_truth=GroundTruth(truth, labels, torch.zeros(12, dtype=torch.long)),
    )
    listed_members = [sorted(members) for _, members in listed(object_rows(samples, 240))]
    members = [(owner == number).nonzero().squeeze(1).tolist() for number in range(12)]
    assert sum(map(len, members)) > 50
    assert listed_members == [each for each in members if len(each) >= 2]


def test_a_point_goes_to_the_smallest_object_that_holds_its_cell():
    """As FCOS assigns it."""
    truth = GroundTruth(
        boxes=torch.tensor([[0.0, 0, 96, 96], [16, 16, 64, 64], [0, 0, 80, 96]]),
        labels=torch.tensor([1, 1, 0]),
        image=torch.tensor([0, 0, 0]),
    )
    x, y = torch.meshgrid(torch.arange(0, 96, 8.0), torch.arange(0, 96, 8.0), indexing='ij')
    boxes = torch.stack([x, y, x + 8, y + 8], -1).flatten(0, 1)
    samples = DistillSamples(
        student=torch.zeros(144, 2),
        teacher=torch.randn(144, 2),
        image=torch.zeros(144, dtype=torch.long),
        activation='sigmoid',
        background=False,
        num_classes=2,
        labels=torch.ones(144, dtype=torch.long),
        boxes=boxes,
        ground_truth=truth,
    )
    (_, big), (_, small) = listed(object_rows(samples, 144))
    inside = (boxes[:, :2] >= 16).all(1) & (boxes[:, 2:] <= 64).all(1)
    assert sorted(small) == inside.nonzero().squeeze(1).tolist()
    assert sorted(big) == (~inside).nonzero().squeeze(1).tolist()


def test_a_positive_that_lies_on_no_object_of_its_class_has_no_row():
    samples = make_samples()
    away = replace(samples, boxes=samples.boxes + 1000)
    assert len(object_rows(away, 5)) == 0


@pytest.mark.parametrize('gap', [0.0, 3.0, 60.0, 300.0])
def test_log_odds_do_not_saturate(gap):
    """In float32, where scores of gaps above 17 are all 1; gradients stay finite."""
    logits = torch.tensor([[gap, 0.0, -1.0]], requires_grad=True)
    first = torch.tensor([0])
    value = log_odds(logits, first, first, softmax=True)
    expected = gap - torch.tensor([0.0, -1.0], dtype=torch.float64).logsumexp(0)
    torch.testing.assert_close(value.double(), expected[None], rtol=1e-6, atol=1e-6)
    value.sum().backward()
    assert logits.grad.isfinite().all() and logits.grad[0, 0] == 1
