"""A loss of a user's own that compares all samples plugs in with one class attribute."""

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from tests.detectors import (
    CASCADE,
    FASTER,
    FCOS,
    KD,
    RANK,
    RETINA,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
    training_losses,
)


class Mean(nn.Module):
    """The distance of the mean scores, as a project elsewhere might write it."""

    requires_samples = True

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, samples):
        self.seen.append(samples)
        return (samples.student.sigmoid().mean() - samples.teacher.sigmoid().mean()).abs()


class BoxMean(Mean):
    requires_boxes = True


class LabelMean(Mean):
    requires_labels = True


@pytest.fixture(autouse=True)
def registered():
    own = (Mean, BoxMean, LabelMean)
    for loss in own:
        MODELS.register_module(module=loss)
    yield
    for loss in own:
        del MODELS._module_dict[loss.__name__]


def make(name, tmp_path, own='Mean', meta=None, student=None, **options):
    teacher = small_config(name, width=8)
    losses = dict(loss_kd=KD, loss_own=dict(type=own), loss_rank=RANK)
    model = build(
        distiller_config(
            student or small_config(name),
            teacher,
            save_teacher(teacher, tmp_path / 'teacher.pth', meta=meta),
            **{'distill_losses': losses, **options},
        )
    )
    return model, model.distill_losses['loss_own'].seen


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_gets_all_rows_whatever_the_selector(name, tmp_path):
    model, seen = make(name, tmp_path, selector=dict(type='TopkSamples', k=3))
    chosen, everything = [], []
    select = model.distill_terms.selector
    model.distill_terms.selector = lambda rows: (
        everything.append(rows) or chosen.append(select(rows)) or chosen[0]
    )
    log = training_losses(model)
    assert len(seen) == len(everything) == 1
    assert len(seen[0]) == len(everything[0]) > len(chosen[0]) == 6
    assert torch.equal(seen[0].student, everything[0].student)
    assert torch.equal(seen[0].labels, everything[0].labels)
    assert seen[0].boxes is None and seen[0].ground_truth is None
    log['loss_own'].backward()
    head = model.roi_head.bbox_head.fc_cls if name == FASTER else model.bbox_head.retina_cls
    assert head.weight.grad.abs().sum() > 0


def test_each_stage_of_a_cascade_with_its_weight(tmp_path):
    model, seen = make(CASCADE, tmp_path)
    log = training_losses(model)
    assert len(seen) == 3
    for stage, (samples, scale) in enumerate(zip(seen, (1, 0.5, 0.25), strict=True)):
        value = (samples.student.sigmoid().mean() - samples.teacher.sigmoid().mean()).abs()
        torch.testing.assert_close(log[f's{stage}.loss_own'], scale * value)


@pytest.mark.parametrize('channels', ['all', 'foreground'])
def test_columns_are_matched_by_name(channels, tmp_path, monkeypatch):
    monkeypatch.setattr(
        'mmdet_kdrank.distillers.session.training_classes', lambda: ('d', 'zebra', 'a')
    )
    model, seen = make(
        FASTER,
        tmp_path,
        'BoxMean',
        meta=dict(dataset_meta=dict(classes=tuple('abcde'))),
        student=small_config(FASTER, num_classes=3),
        channels=channels,
    )
    given, compare = [], model.compare

    def spy(*args):
        heads = compare(*args)
        given.extend(head.samples for head in heads)
        return heads

    model.compare = spy
    training_losses(model, num_classes=3)
    # The score of a candidate is over all channels, also where the classes are compared without.
    assert torch.equal(seen[0].student, given[0].student[:, [0, 2, 3]])
    assert torch.equal(seen[0].teacher, given[0].teacher[:, [3, 0, 5]])
    assert seen[0].background
    column = {0: 0, 1: -1, 2: 1, 3: 2}
    assert seen[0].labels.tolist() == [column[label] for label in given[0].labels.tolist()]
    annotated = raw_batch(num_classes=3)['data_samples']
    truth = torch.cat([sample.gt_instances.labels for sample in annotated]).tolist()
    assert seen[0].ground_truth.labels.tolist() == [column[label] for label in truth]


@pytest.mark.parametrize('name', [FASTER, RETINA, FCOS])
def test_boxes_and_ground_truth_for_those_who_ask(name, tmp_path):
    """Positives lie over an object of their own label and image."""
    model, seen = make(name, tmp_path, 'BoxMean')
    training_losses(model)
    samples = seen[0]
    truth = samples.ground_truth
    assert samples.boxes.shape == (len(samples), 4)
    assert truth.image.tolist() == [0, 0, 0, 1, 1, 1]
    positive = samples.positive().nonzero().squeeze(1)
    assert len(positive) > 0
    for row in positive.tolist():
        mine = (truth.image == samples.image[row]) & (truth.labels == samples.labels[row])
        low = torch.maximum(samples.boxes[row, :2], truth.boxes[mine, :2])
        high = torch.minimum(samples.boxes[row, 2:], truth.boxes[mine, 2:])
        assert (high > low).all(1).any()


def test_labels_that_the_head_does_not_tell_are_an_error_with_the_entrys_name(tmp_path):
    student = small_config(RETINA)
    student.bbox_head.type = 'FreeAnchorRetinaHead'  # trained on bags of anchors
    model, _ = make(RETINA, tmp_path, 'LabelMean', student=student)
    with pytest.raises(ValueError, match='distill_losses.loss_own: LabelMean needs hard labels'):
        training_losses(model)


def test_a_value_that_is_not_finite_is_named(tmp_path, monkeypatch):
    model, _ = make(RETINA, tmp_path)
    monkeypatch.setattr(Mean, 'forward', lambda self, samples: samples.student.sum() * float('nan'))
    with pytest.raises(FloatingPointError, match='the value of loss_own'):
        training_losses(model)


def test_lskd_does_not_wrap_one(tmp_path):
    config = distiller_config(
        small_config(RETINA),
        {},
        'absent.pth',
        distill_losses=dict(loss_own=dict(type='LSKDLoss', loss=dict(type='Mean'))),
    )
    with pytest.raises(ValueError, match='distill_losses.loss_own: .*Mean compares samples'):
        MODELS.build(config)
