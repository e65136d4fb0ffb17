"""Teachers and students that know other classes, and very many of them."""

import math
import random

import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.registry import MODELS
from mmengine.hub import get_config
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper

from mmdet_kdrank.check.random_batch import random_batch
from tests.detectors import (
    FASTER,
    KD,
    RETINA,
    build,
    distiller_config,
    save_teacher,
    small_config,
)
from tests.distillers.pairs import distilled

COCO = CocoDataset.METAINFO['classes']
SETS = {
    'one': ['zebra'],
    'few in another order': ['zebra', 'person', 'cat', 'bicycle'],
    'all backwards': list(reversed(COCO)),
    'forty shuffled': random.Random(0).sample(COCO, 40),
    'some unknown to the teacher': ['unicorn', 'tv', 'griffin', 'dog'],
}
LVIS = 'lvis/mask-rcnn_r50_fpn_sample1e-3_ms-1x_lvis-v1.py'
SEESAW = 'seesaw_loss/mask-rcnn_r50_fpn_seesaw-loss_random-ms-2x_lvis-v1.py'
OBJECTS_FASTER = 'objects365/faster-rcnn_r50_fpn_16xb4-1x_objects365v1.py'
OBJECTS_RETINA = 'objects365/retinanet_r50_fpn_1x_objects365v1.py'
EVERY = dict(type='AllSamples')


@pytest.fixture
def pair(tmp_path):
    """A COCO teacher and a student of these classes, after a step."""

    def make(name, classes, **options):
        MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=classes))
        student = small_config(name, num_classes=len(classes))
        teacher = small_config(name, width=8, num_classes=80)
        meta = dict(dataset_meta=dict(classes=COCO))
        batch = dict(num_classes=len(classes))
        step = distilled(student, teacher, tmp_path, meta=meta, batch=batch, **options)
        return step.losses, step.student, step.teacher

    return make


def common(student, teacher, classes, background):
    """Rows of both in the classes that both know, in the student's order, as lists."""
    known = [name for name in classes if name in COCO]
    ours = [classes.index(name) for name in known]
    theirs = [COCO.index(name) for name in known]
    if background:
        ours, theirs = [*ours, len(classes)], [*theirs, len(COCO)]
    for s, t in zip(student.double().tolist(), teacher.double().tolist(), strict=True):
        yield [s[i] for i in ours], [t[i] for i in theirs]


def softmax(logits):
    total = sum(math.exp(x) for x in logits)
    return [math.exp(x) / total for x in logits]


def kl(student, teacher):
    """Of the two softmax distributions, averaged over the classes as MMDetection's loss does."""
    pairs = zip(softmax(student), softmax(teacher), strict=True)
    return sum(q * math.log(q / p) for p, q in pairs) / len(student)


def binary_kd(student, teacher):
    """Cross-entropy of each class by itself."""
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        p, q = 1 / (1 + math.exp(-s)), 1 / (1 + math.exp(-t))
        total -= q * math.log(p) + (1 - q) * math.log(1 - p)
    return total


def rank(student, teacher):
    count, total = len(student), 0.0
    for i in range(count):
        for j in range(i):
            total += math.tanh(student[i] - student[j]) * math.tanh(teacher[i] - teacher[j])
    return 1 - 2 * total / (count * (count - 1))


def mean(loss, rows):
    values = [loss(*row) for row in rows]
    return sum(values) / len(values)


@pytest.mark.parametrize('classes', SETS.values(), ids=SETS)
def test_a_softmax_is_renormalised_over_what_both_know(pair, classes):
    losses, student, teacher = pair(FASTER, classes, selector=EVERY)
    assert (student.shape, teacher.shape) == ((48, len(classes) + 1), (48, 81))
    rows = list(common(student, teacher, classes, background=True))
    assert float(losses['loss_kd']) == pytest.approx(mean(kl, rows), rel=1e-4, abs=1e-7)
    assert float(losses['loss_rank']) == pytest.approx(mean(rank, rows), rel=1e-4)


def test_the_background_may_be_left_out(pair):
    classes = SETS['few in another order']
    losses, student, teacher = pair(FASTER, classes, selector=EVERY, channels='foreground')
    rows = list(common(student, teacher, classes, background=False))
    assert float(losses['loss_kd']) == pytest.approx(mean(kl, rows), rel=1e-4, abs=1e-7)
    assert float(losses['loss_rank']) == pytest.approx(mean(rank, rows), rel=1e-4)


@pytest.mark.parametrize(
    'classes', [names for names in SETS.values() if len(names) > 1], ids=list(SETS)[1:]
)
def test_each_class_of_a_sigmoid_head_is_a_question_of_its_own(pair, classes):
    losses, student, teacher = pair(
        RETINA,
        classes,
        distill_losses=dict(
            loss_kd=dict(type='BinaryKDLoss'), loss_rank=dict(type='KendallRankLoss')
        ),
        selector=dict(type='TopkSamples', k=100_000),
    )
    assert teacher.shape == (len(student), 80)
    rows = list(common(student, teacher, classes, background=False))
    assert float(losses['loss_kd']) == pytest.approx(mean(binary_kd, rows), rel=1e-4)
    if len(classes) < 10:  # The loop over pairs is slow.
        assert float(losses['loss_rank']) == pytest.approx(mean(rank, rows), rel=1e-4)


def test_one_common_class_of_a_sigmoid_head_is_nothing_to_rank(pair):
    with pytest.raises(ValueError, match='leaves one column of logits'):
        pair(RETINA, SETS['one'])


def many_classes(name):
    """A stock config with its own classes and losses, and a small trunk."""
    stock = get_config(f'mmdet::{name}').model
    return small_config(name, num_classes=stock.get('roi_head', stock).bbox_head.num_classes)


def losses_of(model, config):
    data = model.data_preprocessor(random_batch(config, ((64, 64), (48, 64))), training=True)
    torch.manual_seed(0)
    return model(**data, mode='loss')


@pytest.mark.parametrize(
    ('name', 'columns'),
    [(LVIS, 1204), (SEESAW, 1203), (OBJECTS_FASTER, 366), (OBJECTS_RETINA, 365)],
    ids=['lvis', 'seesaw', 'objects365-faster', 'objects365-retina'],
)
def test_a_step_with_very_many_classes(tmp_path, name, columns):
    config = many_classes(name)
    checkpoint = save_teacher(config, tmp_path / 'teacher.pth')
    losses = dict(loss_kd=KD, loss_rank=dict(type='KendallRankLoss', class_groups=8))
    model = build(distiller_config(config, config, checkpoint, distill_losses=losses)).train()
    stock = MODELS.build(config).train()
    stock.load_state_dict(model.state_dict())
    seen, select = [], model.distill_terms.selector
    model.distill_terms.selector = lambda rows: seen.append(rows) or select(rows)
    log = losses_of(model, config)
    assert seen[0].student.shape == seen[0].teacher.shape == (len(seen[0]), columns)
    for key, value in losses_of(stock, config).items():
        torch.testing.assert_close(log[key], value, rtol=0, atol=0)
    optimizer = build_optim_wrapper(model, dict(optimizer=dict(type='SGD', lr=1e-3)))
    total, values = model.parse_losses(log)
    assert all(value.isfinite() for value in values.values()), values
    optimizer.update_params(total)
    assert 0 < float(log['loss_rank']) < 2
