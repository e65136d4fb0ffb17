"""What the first batch shows of declarations, families and numbers of classes."""

from __future__ import annotations

import re

import pytest
import torch
from mmdet.models.dense_heads import ATSSHead, RetinaHead
from mmdet.registry import MODELS

from mmdet_kdrank.distillers import ClassOutput, declare_class_output
from mmdet_kdrank.distillers.first_batch import FirstBatch
from mmdet_kdrank.heads.class_output import _DECLARATIONS
from tests.detectors import (
    ATSS,
    CASCADE,
    FASTER,
    KD,
    RANK,
    RETINA,
    build,
    distiller_config,
    save_teacher,
    small_config,
    training_losses,
)

PKD = dict(type='PKDLoss', levels=[1, 2, 3])


@MODELS.register_module(force=True)
class ScoreHead(ATSSHead):
    """As GFLv2's: its forward returns score times quality."""

    def forward_single(self, x, scale):
        scores, boxes, quality = super().forward_single(x, scale)
        return scores.sigmoid() * quality.sigmoid(), boxes, quality

    def loss_by_feat(self, cls_scores, *args, **options):
        return super().loss_by_feat([s.clamp(1e-4).logit() for s in cls_scores], *args, **options)


@MODELS.register_module(force=True)
class LateRetinaHead(RetinaHead):
    """As FAM3DHead: its class loss is summed, and divided afterwards."""

    def loss_by_feat_single(self, *args, avg_factor):
        losses = super().loss_by_feat_single(*args, avg_factor=1)
        return [loss / avg_factor for loss in losses]


@pytest.fixture(autouse=True)
def no_declarations_are_left():
    before = dict(_DECLARATIONS)
    yield
    _DECLARATIONS.clear()
    _DECLARATIONS.update(before)


@pytest.fixture
def make(tmp_path):
    """A function that builds a distiller whose two sides have the same head."""

    def make(name, head=None, teacher=None, num_classes=5, **options):
        student = small_config(name, num_classes=num_classes)
        teacher = small_config(teacher or name, width=8, num_classes=num_classes)
        checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
        if head:
            student.bbox_head.type = teacher.bbox_head.type = head
        return build(distiller_config(student, teacher, checkpoint, **options))

    return make


def test_scores_declared_as_logits_are_found_and_the_advice_works(make):
    def declare(**options):
        declare_class_output(ScoreHead)(
            lambda head: ClassOutput('sigmoid', head.num_classes, background=False, **options)
        )

    declare()
    with pytest.raises(ValueError, match='all .* values lie between 0 and 1') as caught:
        training_losses(make(ATSS, 'ScoreHead'))
    kind = re.search(r"Declare kind='(\w+)'", str(caught.value))[1]
    declare(kind=kind)
    assert training_losses(make(ATSS, 'ScoreHead'))['loss_kd'].isfinite()


def test_a_normaliser_that_comes_later_is_found_and_the_advice_works(make):
    every = dict(selector=dict(type='AllSamples'))
    expected = training_losses(make(RETINA, **every))
    with pytest.raises(ValueError, match='LateRetinaHead passes avg_factor=1') as caught:
        training_losses(make(RETINA, 'LateRetinaHead', **every))
    advice = str(caught.value).split('below the head: ')[1]
    exec(advice, dict(LateRetinaHead=LateRetinaHead))
    losses = training_losses(make(RETINA, 'LateRetinaHead', **every))
    torch.testing.assert_close(losses['loss_rank'], expected['loss_rank'])


ONE = dict(
    loss_bkd=dict(type='BinaryKDLoss'),
    loss_mse=dict(type='LogitMSELoss'),
    loss_qf=dict(type='QualityFocalKDLoss'),
    loss_candidates=dict(type='CandidateRankLoss'),
)


def test_one_class_can_be_distilled_by_losses_of_one_column(make):
    model = make(RETINA, num_classes=1, distill_losses=ONE, distill_features=dict(loss_pkd=PKD))
    losses = training_losses(model, num_classes=1)
    for name in (*ONE, 'loss_pkd'):
        assert losses[name].isfinite(), name
    assert 'distill_tau' not in losses


@pytest.mark.parametrize(('name', 'loss'), [('loss_rank', RANK), ('loss_kd', KD)])
def test_one_class_has_no_order_and_the_entry_is_named(make, name, loss):
    model = make(RETINA, num_classes=1, distill_losses={**ONE, name: loss})
    message = rf'one column of logits to distil, and {name} \({loss["type"]}\) needs two'
    with pytest.raises(ValueError, match=message) as caught:
        training_losses(model, num_classes=1)
    for advised in ('BinaryKDLoss', 'LogitMSELoss', 'QualityFocalKDLoss', 'CandidateRankLoss'):
        assert advised in str(caught.value)


@pytest.mark.parametrize(
    ('student', 'teacher'), [(FASTER, RETINA), (RETINA, FASTER), (FASTER, CASCADE), (RETINA, ATSS)]
)
@pytest.mark.parametrize('losses', [None, {}])
def test_features_alone_need_no_teacher_of_the_family(make, student, teacher, losses):
    model = make(
        student, teacher=teacher, distill_losses=losses, distill_features=dict(loss_pkd=PKD)
    )
    for step in range(2):
        values = training_losses(model, seed=step)
        assert values['loss_pkd'] > 0
        assert 'distill_tau' not in values


def test_with_logits_the_family_counts(make):
    with pytest.raises(ValueError, match='needs a TwoStageDetector'):
        make(FASTER, teacher=RETINA, distill_features=dict(loss_pkd=PKD))


def test_a_student_that_is_refused_needs_no_teacher():
    student = small_config(RETINA)
    student.bbox_head.type = 'ScoreRetinaHead'

    @MODELS.register_module(force=True)
    class ScoreRetinaHead(RetinaHead):
        def forward_single(self, x):
            return x

    with pytest.raises(TypeError, match='ScoreRetinaHead cannot be distilled'):
        build(distiller_config(student, 'absent.py', 'absent.pth'))


def test_it_runs_on_the_first_batch_alone(make, monkeypatch):
    finished = []
    finish = FirstBatch.finish
    monkeypatch.setattr(
        FirstBatch, 'finish', lambda self, *args: finished.append(1) or finish(self, *args)
    )
    model = make(RETINA)
    for step in range(3):
        training_losses(model, seed=step)
    assert len(finished) == 1
