import contextlib

import pytest
import torch
from mmdet.models.losses import KnowledgeDistillationKLDivLoss
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import MODELS

from mmdet_kdrank.heads.capture import watch_forward, watch_method
from tests.detectors import (
    CASCADE,
    CASCADE_MASK,
    DOUBLE_HEAD,
    FASTER,
    KD,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
    training_losses,
)


def teacher_of_another_kind():
    """Other depth, channels, RoI size and head than the student's."""
    config = small_config(FASTER, width=8)
    config.backbone.depth = 34
    config.neck.out_channels = config.rpn_head.in_channels = 16
    config.roi_head.update(type='DoubleHeadRoIHead', reg_roi_scale_factor=1.3)
    config.roi_head.bbox_roi_extractor.out_channels = 16
    config.roi_head.bbox_head = DOUBLE_HEAD
    return config


@pytest.fixture
def distiller(tmp_path):
    teacher = teacher_of_another_kind()
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    return build(distiller_config(small_config(FASTER), teacher, checkpoint))


@pytest.fixture
def cascade(tmp_path):
    teacher = small_config(CASCADE, width=8)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    return build(distiller_config(small_config(CASCADE), teacher, checkpoint))


def test_both_sides_classify_all_rois_that_the_student_samples(distiller):
    seen = {}
    head = distiller.roi_head.bbox_head

    def remember(arguments, _):
        seen.update(
            student=arguments['cls_score'], rois=arguments['rois'], labels=arguments['labels']
        )

    with watch_method(head, 'loss', remember):
        losses = training_losses(distiller)
    teacher = distiller.teacher_session.model
    inputs = distiller.data_preprocessor(raw_batch(), training=True)['inputs']
    features = teacher.extract_feat(inputs)
    expected = teacher.roi_head._bbox_forward(features, seen['rois'])['cls_score']
    assert seen['rois'].shape == (48, 5)
    assert 0 < (seen['labels'] < 5).sum() < 48
    # Textbook: KL of each RoI, mean over RoIs and channels.
    target, pred = expected.softmax(1), seen['student'].log_softmax(1)
    by_hand = (target * (target.log() - pred)).mean()
    torch.testing.assert_close(losses['loss_kd'], by_hand, rtol=1e-4, atol=1e-7)
    assert {'loss_kd', 'loss_rank', 'distill_tau', 'distill_top1'} < losses.keys()


def test_the_student_runs_once(distiller):
    training_losses(distiller)
    calls = []
    head = distiller.roi_head.bbox_head
    with (
        watch_forward(distiller.backbone, lambda *_: calls.append('backbone')),
        watch_forward(distiller.roi_head.bbox_roi_extractor, lambda *_: calls.append('extractor')),
        watch_forward(head, lambda *_: calls.append('head')),
    ):
        training_losses(distiller)
    assert sorted(calls) == ['backbone', 'extractor', 'head']


def test_gradients_reach_the_students_head_and_trunk_from_distillation_alone(distiller):
    losses = training_losses(distiller)
    (losses['loss_kd'] + losses['loss_rank']).backward()
    assert distiller.roi_head.bbox_head.fc_cls.weight.grad.abs().sum() > 0
    assert distiller.backbone.conv1.weight.grad.abs().sum() > 0
    assert distiller.roi_head.bbox_head.fc_reg.weight.grad is None
    assert all(p.grad is None for p in distiller.teacher_session.model.parameters())


def test_cascade_distils_every_stage_with_its_weight(cascade):
    losses = training_losses(cascade)
    assert {f's{stage}.{name}' for stage in range(3) for name in ('loss_kd', 'distill_tau')} < (
        losses.keys()
    )
    plain = {name: float(value) for name, value in losses.items() if name.endswith('loss_kd')}
    cascade.roi_head.stage_loss_weights = [2.0, 0.0, 0.25]
    scaled = training_losses(cascade)
    assert float(scaled['s0.loss_kd']) == pytest.approx(2 * plain['s0.loss_kd'])
    assert float(scaled['s1.loss_kd']) == 0
    assert float(scaled['s2.loss_kd']) == pytest.approx(plain['s2.loss_kd'])


def test_no_roi_gives_zero_with_a_graph(distiller):
    distiller.train_cfg.rpn_proposal.min_bbox_size = 10_000
    losses = training_losses(distiller, boxes=0)
    assert losses['loss_kd'] == losses['loss_rank'] == 0
    (losses['loss_kd'] + losses['loss_rank']).backward()
    assert 'distill_tau' not in losses


@pytest.mark.parametrize('factor', [1.0, 0.0])
def test_every_weight_of_a_cascade_without_a_roi_gets_a_gradient(tmp_path, factor):
    """DistributedDataParallel waits for each, also while a schedule has turned all losses off."""
    config = small_config(CASCADE_MASK)
    checkpoint = save_teacher(config, tmp_path / 'teacher.pth')
    model = build(distiller_config(config, config, checkpoint))
    training_losses(model, masks=True)
    model.distill_factors.update(dict.fromkeys(model.distill_factors, factor))
    model.train_cfg.rpn_proposal.min_bbox_size = 10_000
    for _ in range(2):
        losses = training_losses(model, boxes=0, masks=True)
    total, _ = model.parse_losses(losses)
    total.backward()
    assert losses['s2.loss_kd'] == 0
    without = [
        name
        for name, weight in model.roi_head.named_parameters()
        if weight.requires_grad and weight.grad is None
    ]
    assert not without


def test_foreground_channels_only(tmp_path):
    config = small_config(FASTER)
    checkpoint = save_teacher(config, tmp_path / 'teacher.pth')
    seen = []
    options = dict(channels='foreground', selector=dict(type='AllSamples'))
    model = build(distiller_config(config, config, checkpoint, **options))
    with watch_forward(
        model.distill_losses['loss_kd'], lambda arguments, _: seen.append(arguments['pred'])
    ):
        training_losses(model)
    assert seen[0].shape == (48, 5)


def test_a_subset_in_another_order_is_matched_by_name(tmp_path, monkeypatch):
    """A five-class teacher serves a three-class student; the softmax is over what both know."""
    teacher = small_config(FASTER, width=8)
    meta = dict(dataset_meta=dict(classes=tuple('abcde')))
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth', meta=meta)
    monkeypatch.setattr(
        'mmdet_kdrank.distillers.session.training_classes', lambda: ('d', 'a', 'zebra')
    )
    student = small_config(FASTER, num_classes=3)
    options = dict(distill_losses=dict(loss_kd=KD), selector=dict(type='AllSamples'))
    model = build(distiller_config(student, teacher, checkpoint, **options))
    seen = {}
    with (
        watch_method(
            model.roi_head.bbox_head,
            'loss',
            lambda arguments, _: seen.update(pred=arguments['cls_score'], rois=arguments['rois']),
        ),
    ):
        losses = training_losses(model, num_classes=3)
    frozen = model.teacher_session.model
    inputs = model.data_preprocessor(raw_batch(), training=True)['inputs']
    logits = frozen.roi_head._bbox_forward(frozen.extract_feat(inputs), seen['rois'])['cls_score']
    expected = KnowledgeDistillationKLDivLoss(T=1)(seen['pred'][:, [0, 1, 3]], logits[:, [3, 0, 5]])
    torch.testing.assert_close(losses['loss_kd'], expected)


@pytest.mark.parametrize(
    ('student', 'teacher', 'error', 'message'),
    [
        (FASTER, CASCADE, ValueError, "student's RoI head has 1 stages, the teacher's 3"),
        (CASCADE, FASTER, ValueError, "student's RoI head has 3 stages, the teacher's 1"),
    ],
)
def test_stages_must_correspond(tmp_path, student, teacher, error, message):
    teacher = small_config(teacher)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    config = distiller_config(small_config(student), teacher, checkpoint)
    with pytest.raises(error, match=message):
        build(config)


def test_another_activation_is_refused(tmp_path):
    teacher = small_config(FASTER)
    teacher.roi_head.bbox_head.loss_cls.use_sigmoid = True
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    config = distiller_config(small_config(FASTER), teacher, checkpoint)
    with pytest.raises(ValueError, match='mean different things'):
        build(config)


def test_a_sampler_that_asks_for_losses_does_not_count(tmp_path):
    """PISA's sampler, like OHEM, calls the class loss of all proposals to rank them."""
    student = small_config(FASTER)
    checkpoint = save_teacher(student, tmp_path / 'teacher.pth')
    student.roi_head.type = 'PISARoIHead'
    student.train_cfg.rcnn.update(isr=dict(k=2, bias=0), carl=dict(k=1, bias=0.2))
    student.train_cfg.rcnn.sampler = dict(
        type='ScoreHLRSampler', num=24, pos_fraction=0.25, k=0.5, bias=0.0
    )
    model = build(distiller_config(student, small_config(FASTER), checkpoint))
    rows, select = [], model.distill_terms.selector
    model.distill_terms.selector = lambda samples: rows.append(samples) or select(samples)
    assert training_losses(model)['loss_kd'] > 0
    assert len(rows[0]) == 48
    # It weighs positives anew, by their importance.
    positive = rows[0].positive()
    assert positive.any() and not torch.equal(rows[0].weights, torch.ones(48))


def test_a_roi_head_that_computes_its_class_loss_twice_is_refused(tmp_path):
    class TwiceRoIHead(StandardRoIHead):
        def bbox_loss(self, x, sampling_results):
            super().bbox_loss(x, sampling_results)
            return super().bbox_loss(x, sampling_results)

    MODELS.register_module(module=TwiceRoIHead, force=True)
    student = small_config(FASTER)
    checkpoint = save_teacher(student, tmp_path / 'teacher.pth')
    student.roi_head.type = 'TwiceRoIHead'
    model = build(distiller_config(student, small_config(FASTER), checkpoint))
    with pytest.raises(NotImplementedError, match='TwiceRoIHead.*stage 0 2 times, not once'):
        training_losses(model)


def test_a_cascade_without_a_roi_gives_every_stage_a_gradient(cascade):
    cascade.train_cfg.rpn_proposal.min_bbox_size = 10_000
    losses = training_losses(cascade, boxes=0)
    assert all(losses[f's{stage}.loss_kd'] == 0 for stage in range(3))
    cascade.parse_losses(losses)[0].backward()
    for head in cascade.roi_head.bbox_head:
        assert all(p.grad is not None and not p.grad.any() for p in head.parameters())


def test_the_teacher_classifies_no_roi_but_those_that_the_student_samples(cascade):
    """Heads of rotated boxes read out of bounds where a box has another number of values."""
    cascade.path_check = False  # which classifies the teacher's own proposals
    sampled, seen = set(), set()
    roi_head = cascade.teacher_session.model.roi_head
    forward = roi_head._bbox_forward

    def remember(stage, features, rois):
        seen.update((stage, *roi) for roi in rois.tolist())
        return forward(stage, features, rois)

    roi_head._bbox_forward = remember
    with contextlib.ExitStack() as stack:
        for stage, head in enumerate(cascade.roi_head.bbox_head):
            stack.enter_context(
                watch_method(
                    head,
                    'loss',
                    lambda call, _, stage=stage: sampled.update(
                        (stage, *roi) for roi in call['rois'].tolist()
                    ),
                )
            )
        training_losses(cascade)
    assert seen == sampled
