import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from torch import nn

from mmdet_kdrank.distillers import DistillTwoStageDetector
from mmdet_kdrank.heads.capture import watch_method
from tests.detectors import (
    CASCADE,
    FASTER,
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

FAMILIES = [FASTER, CASCADE, RETINA]


@pytest.fixture
def teacher(tmp_path):
    """A function that gives the config and checkpoint of a teacher for a stock config."""

    def make(name, **options):
        config = small_config(name, width=8)
        return config, save_teacher(config, tmp_path / 'teacher.pth', **options)

    return make


@pytest.fixture
def distiller(teacher):
    return build(distiller_config(small_config(FASTER), *teacher(FASTER)))


def steps(model, count):
    """Losses of ``count`` optimizer steps from one seed, as a runner makes them."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=35))
    torch.manual_seed(7)
    return [model.train_step(raw_batch(seed=step), wrapper) for step in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize('name', FAMILIES)
def test_null_weights_train_the_stock_student_bit_for_bit(teacher, name):
    """The teacher and the losses run, forward and backward, and change nothing at weight 0."""
    zero = dict(loss_kd={**KD, 'loss_weight': 0.0}, loss_rank={**RANK, 'loss_weight': 0.0})
    student = small_config(name)
    stock = build(student)
    after_stock = torch.get_rng_state()
    distilled = build(distiller_config(student, *teacher(name), distill_losses=zero))
    assert torch.equal(torch.get_rng_state(), after_stock)

    backward = dict.fromkeys(zero, 0)
    for key, loss in distilled.distill_losses.items():

        def count(_, __, value, key=key):
            def ran(gradient):
                backward[key] += 1

            value.register_hook(ran)

        loss.register_forward_hook(count)
    teacher_runs = []
    distilled.teacher_session.model.backbone.register_forward_hook(
        lambda *_: teacher_runs.append(1)
    )

    expected, seen = steps(stock, 10), steps(distilled, 10)

    heads = 3 if name == CASCADE else 1
    assert len(teacher_runs) == 10
    assert backward == dict.fromkeys(zero, 10 * heads)
    for ours, theirs in zip(seen, expected, strict=True):
        assert ours.keys() > theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert all(
        torch.equal(a.grad, b.grad)
        for a, b in zip(distilled.parameters(), stock.parameters(), strict=True)
        if b.grad is not None
    )
    states = distilled.state_dict(), stock.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_weights_that_are_not_zero_do_change_the_training(teacher):
    student = small_config(FASTER)
    stock = build(student)
    distilled = build(distiller_config(student, *teacher(FASTER)))
    steps(stock, 1), steps(distilled, 1)
    weights = [model.roi_head.bbox_head.fc_cls.weight for model in (stock, distilled)]
    assert not torch.equal(*weights)


@pytest.mark.parametrize('name', FAMILIES)
def test_the_checkpoint_is_a_plain_students(teacher, name):
    student = small_config(name)
    distilled = build(distiller_config(student, *teacher(name)))
    stock = MODELS.build(student)
    stock.load_state_dict(distilled.state_dict(), strict=True)
    assert len(list(distilled.parameters())) == len(list(stock.parameters()))
    assert len(list(distilled.buffers())) == len(list(stock.buffers()))


def test_the_teacher_is_no_part_of_copies(distiller):
    training_losses(distiller)
    for copied in (copy.deepcopy(distiller), ExponentialMovingAverage(distiller).module):
        assert copied.teacher_session.teacher is None
        assert copied.state_dict().keys() == distiller.state_dict().keys()
    assert distiller.teacher_session.teacher is not None


def test_the_teacher_moves_and_casts_with_the_student(distiller):
    distiller.double()
    assert all(p.dtype == torch.float64 for p in distiller.teacher_session.model.parameters())
    distiller.to('meta')
    assert all(p.is_meta for p in distiller.teacher_session.model.parameters())


def test_the_teacher_stays_in_eval_and_unchanged(distiller):
    before = copy.deepcopy(distiller.teacher_session.model.state_dict())
    distiller.train()
    steps(distiller, 2)
    assert not any(module.training for module in distiller.teacher_session.model.modules())
    after = distiller.teacher_session.model.state_dict()
    assert all(torch.equal(value, before[key]) for key, value in after.items())


def test_evaluation_needs_no_teacher():
    absent = distiller_config(small_config(FASTER), 'absent.py', 'absent.pth')
    model = MODELS.build(absent).eval()
    with torch.no_grad():
        results = model.test_step(raw_batch())
    assert len(results) == 2


def test_training_without_init_weights_is_refused():
    absent = distiller_config(small_config(FASTER), 'absent.py', 'absent.pth')
    with pytest.raises(RuntimeError, match=r'call init_weights\(\)'):
        training_losses(MODELS.build(absent))


def test_init_weights_again_keeps_the_teacher(distiller):
    loaded = distiller.teacher_session.teacher
    distiller.init_weights()
    assert distiller.teacher_session.teacher is loaded


def test_any_number_of_losses(teacher):
    losses = dict(
        loss_kd=KD, loss_soft={**KD, 'T': 4}, loss_rank=RANK, loss_cosine={**RANK, 'form': 'cosine'}
    )
    student = small_config(RETINA)
    model = build(distiller_config(student, *teacher(RETINA), distill_losses=losses))
    assert losses.keys() < training_losses(model).keys()


def test_no_loss_at_all_still_logs_the_agreement(teacher):
    student = small_config(RETINA)
    model = build(distiller_config(student, *teacher(RETINA), distill_losses={}))
    assert {'distill_tau', 'distill_top1'} < training_losses(model).keys()


class LabelLoss(nn.Module):
    """A loss of a user's own that asks for the hard labels."""

    requires_labels = True

    def forward(self, pred, soft_label, weight=None, avg_factor=None, labels=None):
        chosen = pred.gather(1, labels[:, None]).squeeze(1)
        return (chosen * weight).sum() / avg_factor


def test_a_loss_that_asks_gets_labels_as_columns(teacher, monkeypatch):
    MODELS.register_module(module=LabelLoss, force=True)
    monkeypatch.setattr(
        'mmdet_kdrank.distillers.session.training_classes', lambda: ('d', 'zebra', 'a')
    )
    source = teacher(FASTER, meta=dict(dataset_meta=dict(classes=tuple('abcde'))))
    student = small_config(FASTER, num_classes=3)
    model = build(
        distiller_config(
            student,
            *source,
            distill_losses=dict(loss_label=dict(type='LabelLoss')),
            selector=dict(type='AllSamples'),
        )
    )
    seen = []
    model.distill_losses['loss_label'].register_forward_hook(
        lambda _, __, kwargs, ___: seen.append(kwargs), with_kwargs=True
    )
    captured = []
    with watch_method(model.roi_head.bbox_head, 'loss', lambda args, _: captured.append(args)):
        training_losses(model, num_classes=3)
    columns = {0: 0, 1: 0, 2: 1, 3: 2}  # d, (unknown), a, background
    labels = captured[0]['labels'].tolist()
    assert {0, 3} < set(labels)
    assert seen[0]['labels'].tolist() == [columns[label] for label in labels]
    assert seen[0]['weight'].tolist() == [float(label != 1) for label in labels]


def test_a_loss_that_asks_for_labels_where_there_are_none_is_refused(teacher):
    MODELS.register_module(module=LabelLoss, force=True)
    losses = dict(loss_label=dict(type='LabelLoss'))
    student = small_config(RETINA)
    student.bbox_head.type = 'FreeAnchorRetinaHead'  # trained on bags of anchors
    model = build(distiller_config(student, *teacher(RETINA), distill_losses=losses))
    with pytest.raises(ValueError, match='loss_label: LabelLoss needs hard labels'):
        training_losses(model)


def test_the_students_classes_come_from_the_training_set(teacher):
    hub = MessageHub.get_current_instance()
    hub.update_info('dataset_meta', dict(classes=('x', 'y', 'z', 'u', 'v')))
    source = teacher(RETINA, meta=dict(dataset_meta=dict(classes=tuple('abcde'))))
    model = build(distiller_config(small_config(RETINA), *source))
    with pytest.raises(ValueError, match='no class name in common'):
        training_losses(model)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(distill_losses=dict(kd=KD)), ValueError, 'distill_losses.kd: '),
        (dict(channels='background'), ValueError, "channels must be 'all' or 'foreground'"),
        (dict(selector=dict(type='NoSuchSelector')), KeyError, 'NoSuchSelector'),
        (dict(teacher=dict(checkpoint='a.pth')), ValueError, 'config is unknown or missing'),
    ],
)
def test_refused_options(options, error, message):
    config = distiller_config(small_config(FASTER), {}, 'absent.pth')
    with pytest.raises(error, match=message):
        MODELS.build({**config, **options})


def test_a_name_that_the_student_uses_is_refused(teacher):
    student = small_config(FASTER)
    model = build(distiller_config(student, *teacher(FASTER), distill_losses=dict(loss_cls=KD)))
    with pytest.raises(
        ValueError, match="distill_losses has loss_cls, a name that the student's own"
    ):
        training_losses(model)


def test_a_single_class_without_background_is_refused(tmp_path):
    config = small_config(RETINA, num_classes=1)
    checkpoint = save_teacher(config, tmp_path / 'one.pth')
    model = build(distiller_config(config, config, checkpoint))
    with pytest.raises(ValueError, match='leaves one column of logits.*needs two'):
        training_losses(model, num_classes=1)


def test_a_teacher_of_the_other_family_is_refused(teacher):
    config = distiller_config(small_config(FASTER), *teacher(RETINA))
    with pytest.raises(ValueError, match='The teacher is a RetinaNet, .* needs a TwoStageDetector'):
        build(config)


@pytest.mark.parametrize('side', ['student', 'teacher'])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_logits_that_are_not_finite_are_named(distiller, side, value):
    model = distiller if side == 'student' else distiller.teacher_session.model
    model.roi_head.bbox_head.fc_cls.bias.data[2] = value
    with pytest.raises(
        FloatingPointError,
        match=f"48 of 288 values of the {side}'s logits behind loss_kd, loss_rank",
    ):
        training_losses(distiller)


def test_a_loss_that_is_not_finite_is_named(distiller):
    distiller.distill_losses['loss_rank'].loss_weight = float('inf')
    with pytest.raises(FloatingPointError, match='the value of loss_rank'):
        training_losses(distiller)


def test_ddp_needs_no_search_for_unused_parameters(distiller, tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        wrapped = nn.parallel.DistributedDataParallel(distiller)
        for seed in range(2):
            data = distiller.data_preprocessor(raw_batch(seed=seed), training=True)
            loss, _ = distiller.parse_losses(wrapped(**data, mode='loss'))
            loss.backward()
    finally:
        torch.distributed.destroy_process_group()
    assert len(list(wrapped.parameters())) == len(list(distiller.parameters()))


def test_registered_under_the_names_of_the_contract():
    assert MODELS.get('DistillTwoStageDetector') is DistillTwoStageDetector
    assert MODELS.get('DistillSingleStageDetector') is not None
