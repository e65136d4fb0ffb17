import pytest
import torch
from mmdet.models.dense_heads import ATSSHead
from mmdet.models.losses import KnowledgeDistillationKLDivLoss
from mmdet.registry import MODELS

from mmdet_kdrank.heads.capture import watch_forward
from tests.detectors import (
    ATSS,
    FCOS,
    GFL,
    RETINA,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
    training_losses,
)

GUIDED = 'guided_anchoring/ga-retinanet_r50_fpn_1x_coco.py'
SELECTORS = ['AllSamples', 'PositiveSamples', 'TopkSamples', 'ScoreWeightedSamples']


def make(tmp_path, name, change_teacher=lambda config: None, **options):
    teacher = small_config(name, width=8)
    change_teacher(teacher)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    return build(distiller_config(small_config(name), teacher, checkpoint, **options))


def flat(maps, channels):
    """Level by level, (B, A * C, H, W) to rows of C, written out loop by loop."""
    rows = []
    for level in maps:
        batch, planes, height, width = level.shape
        for image in range(batch):
            for y in range(height):
                for x in range(width):
                    for prior in range(planes // channels):
                        rows.append(level[image, prior * channels : (prior + 1) * channels, y, x])
    return torch.stack(rows)


def test_both_sides_are_compared_anchor_by_anchor(tmp_path):
    model = make(tmp_path, RETINA, selector=dict(type='TopkSamples', k=10_000))
    seen = []
    with watch_forward(model.bbox_head, lambda _, result: seen.append(result[0])):
        losses = training_losses(model, shapes=((32, 32), (32, 64)))
    teacher = model.teacher_session.model
    inputs = model.data_preprocessor(raw_batch(((32, 32), (32, 64))), training=True)['inputs']
    expected = flat(teacher(inputs, mode='tensor')[0], 5)
    # Everything is chosen, in both images, so the mean is over all anchors.
    kd = KnowledgeDistillationKLDivLoss(T=1)(flat(seen[0], 5), expected)
    assert len(seen) == 1
    torch.testing.assert_close(losses['loss_kd'], kd, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize('name', [RETINA, FCOS, ATSS, GFL])
def test_labels_weights_and_normaliser_are_those_of_the_students_own_loss(tmp_path, name):
    model = make(tmp_path, name, selector=dict(type='AllSamples'))
    samples, calls = [], []

    def spy(rows, select=model.distill_terms.selector):
        samples.append(rows)
        return select(rows)

    model.distill_terms.selector = spy
    with watch_forward(model.bbox_head.loss_cls, lambda arguments, _: calls.append(arguments)):
        training_losses(model)
    rows = samples[0]
    preds = torch.cat([next(iter(call.values())) for call in calls])
    assert torch.equal(preds, rows.student)
    assert rows.avg_factor == calls[0]['avg_factor']
    # The detection loss of the rows as captured is the loss that the head computed itself.
    positive = rows.positive()
    assert 0 < positive.sum() < len(rows)
    assert rows.labels[positive].max() < 5
    assert rows.weights.shape == rows.labels.shape == rows.image.shape == (len(rows),)


@pytest.mark.parametrize('selector', SELECTORS)
def test_every_selector_trains(tmp_path, selector):
    model = make(tmp_path, RETINA, selector=dict(type=selector))
    losses = training_losses(model)
    (losses['loss_kd'] + losses['loss_rank']).backward()
    assert model.bbox_head.retina_cls.weight.grad.abs().sum() > 0
    assert model.bbox_head.retina_reg.weight.grad is None


@pytest.mark.parametrize('selector', SELECTORS)
def test_no_ground_truth(tmp_path, selector):
    model = make(tmp_path, RETINA, selector=dict(type=selector))
    losses = training_losses(model, boxes=0)
    assert losses['loss_kd'].isfinite()
    (losses['loss_kd'] + losses['loss_rank']).backward()
    if selector == 'PositiveSamples':
        assert losses['loss_kd'] == losses['loss_rank'] == 0


def test_softmax_heads(tmp_path):
    def softmax(config):
        config.bbox_head.loss_cls = dict(type='CrossEntropyLoss')

    teacher, student = small_config(RETINA, width=8), small_config(RETINA)
    softmax(teacher)
    softmax(student)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    model = build(distiller_config(student, teacher, checkpoint, channels='foreground'))
    assert training_losses(model)['loss_kd'] > 0


def test_a_head_without_one_label_a_prior_has_none(tmp_path):
    """FreeAnchor trains on bags of anchors."""
    student = small_config(RETINA)
    student.bbox_head.type = 'FreeAnchorRetinaHead'
    checkpoint = save_teacher(small_config(RETINA), tmp_path / 'teacher.pth')
    config = distiller_config(student, small_config(RETINA), checkpoint)
    assert training_losses(build(config))['loss_kd'] > 0
    config.selector = dict(type='AllSamples')
    with pytest.raises(ValueError, match='AllSamples.*TopkSamples'):
        training_losses(build(config))


def test_other_priors_are_refused(tmp_path):
    def scale(config):
        config.bbox_head.anchor_generator.octave_base_scale = 8

    with pytest.raises(ValueError, match='different priors on level 0'):
        training_losses(make(tmp_path, RETINA, scale))


def test_other_levels_are_refused(tmp_path):
    def shorten(config):
        config.neck.num_outs = 4
        config.bbox_head.anchor_generator.strides = [8, 16, 32, 64]

    with pytest.raises(ValueError, match="student's head has 5 levels, the teacher's 4"):
        training_losses(make(tmp_path, RETINA, shorten))


def test_cells_of_anchors_and_of_points_are_compared_by_their_strongest_prior(tmp_path):
    """A RetinaNet has nine anchors in the cell of which FCOS has the centre."""
    teacher = small_config(FCOS, width=8)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    options = dict(priors='cell', selector=dict(type='TopkSamples', k=10_000))
    student = small_config(RETINA)
    student.bbox_head.anchor_generator.strides = [8, 16, 32, 64, 128]
    model = build(distiller_config(student, teacher, checkpoint, **options))
    seen = []
    with watch_forward(model.bbox_head, lambda _, result: seen.append(result[0])):
        losses = training_losses(model, shapes=((32, 32), (32, 64)))
    inputs = model.teacher_session._input(
        *model.data_preprocessor(raw_batch(((32, 32), (32, 64))), training=True).values()
    )
    expected = flat(model.teacher_session.model(inputs, mode='tensor')[0], 5)
    ours = flat(seen[0], 5).reshape(-1, 9, 5).max(1).values
    kd = KnowledgeDistillationKLDivLoss(T=1)(ours, expected)
    torch.testing.assert_close(losses['loss_kd'], kd, rtol=1e-4, atol=1e-7)


def test_cells_of_softmax_heads_are_refused(tmp_path):
    def softmax(config):
        config.bbox_head.loss_cls = dict(type='CrossEntropyLoss')

    student = small_config(RETINA)
    softmax(student)
    teacher = small_config(RETINA)
    softmax(teacher)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    with pytest.raises(ValueError, match="priors='cell'.*only up to a shift"):
        training_losses(build(distiller_config(student, teacher, checkpoint, priors='cell')))


def test_an_unknown_choice_of_priors_is_refused():
    config = distiller_config(small_config(RETINA), {}, 'absent.pth', priors='point')
    with pytest.raises(ValueError, match='priors.*point.*cell.*same'):
        MODELS.build(config)


def test_a_guided_teacher_classifies_everywhere(tmp_path):
    """In evaluation its head masks out where the first image shows nothing, and takes one image."""
    student = small_config(GUIDED)
    checkpoint = save_teacher(small_config(GUIDED, width=8), tmp_path / 'teacher.pth')
    model = build(distiller_config(student, small_config(GUIDED, width=8), checkpoint))
    assert training_losses(model)['loss_kd'] > 0


def test_instance_segmentors_are_a_family_of_their_own(tmp_path):
    teacher = small_config(FCOS)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    config = distiller_config(small_config(FCOS), teacher, checkpoint, student_type='CondInst')
    with pytest.raises(ValueError, match='CondInst.*is no SingleStageDetector'):
        MODELS.build(config)
    config.update(type='DistillSingleStageInstanceSegmentor', student_type='FCOS')
    with pytest.raises(ValueError, match='FCOS.*is no SingleStageInstanceSegmentor'):
        MODELS.build(config)


def test_an_undeclared_head_is_refused(tmp_path):
    class OwnATSSHead(ATSSHead):
        def forward_single(self, x, scale):
            return super().forward_single(x, scale)

    MODELS.register_module(module=OwnATSSHead, force=True)
    checkpoint = save_teacher(small_config(RETINA), tmp_path / 'teacher.pth')
    student = small_config(ATSS)
    student.bbox_head.type = 'OwnATSSHead'
    with pytest.raises(TypeError, match='OwnATSSHead.*declares no class output'):
        training_losses(build(distiller_config(student, small_config(RETINA), checkpoint)))
