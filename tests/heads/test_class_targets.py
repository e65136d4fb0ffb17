"""Where labels come from, with the head's own class loss for an oracle."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub

from mmdet_kdrank.heads import class_output
from mmdet_kdrank.heads.class_targets import (
    ClassTargets,
    RowOrder,
    check_normaliser,
    watch_class_targets,
)
from tests.heads.dense_heads import CLASSES, features, samples, stock_head

# Their class loss is a function of logits, labels, weights and normaliser.
PLAIN = [
    'RetinaHead',
    'RetinaSepBNHead',
    'PISARetinaHead',
    'GARetinaHead',
    'SABLRetinaHead',
    'ATSSHead',
    'PAAHead',
    'FCOSHead',
    'FoveaHead',
    'RepPointsHead',
    'YOLOFHead',
    'CondInstBboxHead',
]
# Theirs takes scores at the place of the label, or weights by level.
SCORED = ['GFLHead', 'TOODHead', 'RTMDetSepBNHead', 'VFNetHead', 'DDODHead', 'YOLOV3Head']
WITHOUT = ['FreeAnchorRetinaHead', 'FSAFHead', 'AutoAssignHead', 'YOLOXHead', 'CenterNetUpdateHead']


def trained(name):
    """A head's losses on two images, its logits by level, and the targets as arranged."""
    if name == 'PAAHead':
        pytest.importorskip('sklearn')
    head = stock_head(name)
    MessageHub.get_current_instance().update_info('epoch', getattr(head, 'initial_epoch', 0))
    outputs, arranged = [], RowOrder()
    handle = head.register_forward_hook(lambda _, __, output: outputs.append(output[0]))
    with watch_class_targets(head) as calls:
        losses = head.loss(features(head), samples(head))
    handle.remove()
    output = class_output(head)
    levels = [output.rows(level) for level in outputs[0]]
    logits = torch.cat([level.flatten(0, 1) for level in levels])
    image = torch.cat([torch.arange(2).repeat_interleave(level.shape[1]) for level in levels])
    calls = [replace(call, pred=output.as_logits(call.pred)) for call in calls]
    return head, losses, logits, image, arrange(arranged, calls, logits.detach(), image)


def arrange(order, calls, logits, image):
    return order.arrange(calls, logits, image, mixed=bool((image[1:] < image[:-1]).any()))


def total(loss):
    return sum(loss) if isinstance(loss, (list, tuple)) else loss


@pytest.mark.parametrize('name', PLAIN)
def test_the_class_loss_of_the_rows_is_the_one_that_the_head_trains_on(name):
    head, losses, logits, _, (labels, weights, avg_factor) = trained(name)
    assert 0 < int((labels < CLASSES).sum()) < len(labels)
    again = head.loss_cls(logits, labels, weights, avg_factor=avg_factor)
    torch.testing.assert_close(again, total(losses['loss_cls']))


@pytest.mark.parametrize('name', ['SSDHead', 'PISASSDHead'])
def test_heads_that_mine_hard_negatives_are_told_apart_by_image(name):
    head, losses, logits, image, (labels, weights, avg_factor) = trained(name)
    expected = 0.0
    for index in range(2):
        mine = image == index
        loss = F.cross_entropy(logits[mine], labels[mine], reduction='none') * weights[mine]
        positive = labels[mine] < CLASSES
        hardest = loss[~positive].sort(descending=True).values[: 3 * int(positive.sum())]
        expected = expected + (loss[positive].sum() + hardest.sum()) / avg_factor
    torch.testing.assert_close(expected, total(losses['loss_cls']).squeeze())


@pytest.mark.parametrize('name', SCORED)
def test_positives_have_the_class_of_an_object_around_them(name):
    head, _, _, image, (labels, _, avg_factor) = trained(name)
    strides = [s[0] if isinstance(s, tuple) else s for s in head.prior_generator.strides]
    sizes = [level.shape[-2:] for level in features(head)]
    priors = head.prior_generator.grid_priors(sizes, device='cpu')
    centres = [(p[:, :2] + p[:, 2:]) / 2 if p.shape[1] == 4 else p for p in priors]
    # Level by level, and in each level image by image.
    centres = torch.cat([torch.cat([level, level]) for level in centres])
    reach = torch.cat(
        [torch.full((2 * len(p),), float(s)) for p, s in zip(priors, strides, strict=True)]
    )
    positive = (labels < CLASSES).nonzero().squeeze(1)
    assert len(positive)
    for row in positive.tolist():
        objects = samples(head)[image[row]].gt_instances
        boxes = objects.bboxes[objects.labels == labels[row]]
        low, high = boxes[:, :2] - reach[row], boxes[:, 2:] + reach[row]
        assert ((low <= centres[row]) & (centres[row] <= high)).all(1).any()
    if name in ('TOODHead', 'RTMDetSepBNHead', 'YOLOV3Head'):
        assert avg_factor is None
    else:
        assert avg_factor == len(positive)


@pytest.mark.parametrize('name', WITHOUT)
def test_heads_without_one_label_a_prior_have_no_targets(name):
    assert trained(name)[-1] is None


def test_tood_starts_with_another_loss():
    head = stock_head('TOODHead')
    MessageHub.get_current_instance().update_info('epoch', 0)
    with watch_class_targets(head) as calls:
        head.loss(features(head), samples(head))
    assert len(calls) == len(head.prior_generator.strides)


def call(rows, labels):
    return ClassTargets(rows, torch.tensor(labels), torch.ones(len(labels)), 1.0)


def test_the_order_is_kept_from_a_batch_that_shows_it():
    """One image says nothing of the order of two, and equal logits nothing of any."""
    logits = torch.arange(8.0).reshape(4, 2)
    order = RowOrder()
    one = arrange(order, [call(logits, [0, 1, 2, 3])], logits, torch.zeros(4, dtype=torch.long))
    assert one[0].tolist() == [0, 1, 2, 3]
    # Two levels of one prior, two images: rows by level are (a0, b0, a1, b1).
    image = torch.tensor([0, 1, 0, 1])
    by_image = logits[[0, 2, 1, 3]]
    two = arrange(order, [call(by_image, [0, 1, 2, 3])], logits, image)
    assert two[0].tolist() == [0, 2, 1, 3]
    # Kept: other logits, the same head.
    again = arrange(order, [call(by_image + 1, [0, 1, 2, 3])], logits, image)
    assert again[0].tolist() == [0, 2, 1, 3]


def test_logits_that_are_nan_are_these_rows_and_show_no_order():
    order, image = RowOrder(), torch.tensor([0, 1, 0, 1])
    nan = torch.full((4, 2), float('nan'))
    assert arrange(order, [call(nan, [0, 1, 2, 3])], nan, image) is not None
    logits = torch.arange(8.0).reshape(4, 2)
    found = arrange(order, [call(logits[[0, 2, 1, 3]], [0, 1, 2, 3])], logits, image)
    assert found[0].tolist() == [0, 2, 1, 3]


def test_calls_about_other_rows_are_no_targets():
    logits, image = torch.arange(8.0).reshape(4, 2), torch.tensor([0, 1, 0, 1])
    assert arrange(RowOrder(), [], logits, image) is None
    assert arrange(RowOrder(), [call(logits[:3], [0, 1, 2])], logits, image) is None
    assert arrange(RowOrder(), [call(logits.flip(0), [0, 1, 2, 3])], logits, image) is None


def test_normalisers_that_differ_by_level_are_none():
    logits, image = torch.arange(8.0).reshape(4, 2), torch.tensor([0, 1, 0, 1])
    calls = [call(logits[:2], [0, 1]), replace(call(logits[2:], [0, 1]), avg_factor=2.0)]
    assert arrange(RowOrder(), calls, logits, image)[2] is None


def test_a_normaliser_of_1_is_believed_beside_one_positive_alone():
    head = stock_head('RetinaHead')
    for labels, factor in (([0], 1.0), ([0, CLASSES, -1], 1.0), ([0, 1, 2], 3.0), ([0, 1], None)):
        check_normaliser(head, torch.tensor(labels), factor)
    check_normaliser(head, torch.tensor([0, 1]), torch.tensor(1.0))
    for factor in (1, 1.0):
        with pytest.raises(ValueError, match='avg_factor=1 to its class loss beside 2 positives'):
            check_normaliser(head, torch.tensor([0, 1, CLASSES]), factor)


def test_a_mean_over_ranks_may_be_1(monkeypatch):
    monkeypatch.setattr('mmdet_kdrank.heads.class_targets.get_world_size', lambda: 3)
    head = stock_head('RetinaHead')
    check_normaliser(head, torch.tensor([0, 1, 2]), 1.0)
    with pytest.raises(ValueError, match='beside 4 positives'):
        check_normaliser(head, torch.tensor([0, 1, 2, 3]), 1.0)


@pytest.mark.parametrize('name', [name for name in PLAIN + SCORED if name != 'PAAHead'])
def test_no_stock_head_is_refused_for_its_normaliser(name):
    head, *_, targets = trained(name)
    labels, _, factor = targets
    check_normaliser(head, labels, factor)
