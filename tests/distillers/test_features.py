import copy
import re
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from torch import nn

from mmdet_kdrank.hooks import DistillAdapterHook
from tests.detectors import (
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

DOCS = Path(__file__).parents[2] / 'docs' / 'how_to' / 'feature_distillation.md'
PKD = dict(type='PKDLoss', loss_weight=6.0)
MIMIC = dict(type='FeatureMimicLoss', student_channels=[32] * 5, teacher_channels=[32] * 5)


@pytest.fixture
def make(tmp_path):
    """A function that builds a distilling detector with these entries of distill_features."""

    def make(features, name=RETINA, saved=True, teacher=None, **options):
        teacher = teacher or small_config(name, width=8)
        checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
        options['distill_features'] = features
        model = build(distiller_config(small_config(name), teacher, checkpoint, **options))
        if features:
            model.distill_features.saved = saved
        return model

    return make


def step(model, seed=0):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return model.train_step(raw_batch(seed=seed), OptimWrapper(optimizer))


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_the_losses_are_those_of_both_necks(make, name):
    model = make(dict(loss_pkd=PKD, loss_mimic=MIMIC), name)
    passes = []
    model.neck.register_forward_hook(lambda _, __, levels: passes.append(levels))
    losses = training_losses(model)
    assert len(passes) == 1
    with torch.no_grad():
        images = model.data_preprocessor(raw_batch(), training=True)['inputs']
        teacher = model.teacher_session.model.extract_feat(images)
    for key, loss in model.distill_features.items():
        torch.testing.assert_close(losses[key], loss(passes[0], teacher))
        grads = torch.autograd.grad(losses[key], model.backbone.parameters(), retain_graph=True)
        assert any(grad.ne(0).any() for grad in grads)
    assert {'loss_kd', 'loss_rank', 'distill_tau'} < losses.keys()


def test_nothing_watches_a_student_without_them(make):
    model = make(None)
    assert model.distill_features is None
    calls = []
    extract_feat = model.extract_feat
    model.extract_feat = lambda x: calls.append(x) or extract_feat(x)
    training_losses(model)
    assert len(calls) == 1


def test_building_adapters_draws_no_random_number_of_the_students(make):
    plain, adapted = make(None), make(dict(loss_mimic=MIMIC))
    state = adapted.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in plain.state_dict().items())


def test_null_weights_change_nothing_bit_for_bit(make):
    null = dict(loss_pkd={**PKD, 'loss_weight': 0.0}, loss_mimic={**MIMIC, 'loss_weight': 0.0})
    plain, distilled = make(None), make(null)
    for model in (plain, distilled):
        torch.manual_seed(7)
        step(model, seed=0), step(model, seed=1)
    state = distilled.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in plain.state_dict().items())


def test_the_adapters_are_trained_with_the_student(make):
    model = make(dict(loss_mimic=MIMIC))
    before = copy.deepcopy(model.distill_features.adapters()['loss_mimic'])
    step(model)
    after = model.distill_features.adapters()['loss_mimic']
    assert len(after) == 10
    assert not any(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize('read', [nn.Module.state_dict, get_state_dict])
def test_the_state_dict_is_a_plain_students(make, read):
    model = make(dict(loss_pkd=PKD, loss_mimic=MIMIC))
    stock = MODELS.build(small_config(RETINA))
    assert read(model).keys() == stock.state_dict().keys()
    stock.load_state_dict(read(model), strict=True)
    wrapped = ExponentialMovingAverage(model)
    assert {key.removeprefix('module.') for key in read(wrapped)} == {*stock.state_dict(), 'steps'}


@pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
def test_a_plain_students_state_loads_strictly_and_leaves_the_adapters(make, load):
    model = make(dict(loss_pkd=PKD, loss_mimic=MIMIC))
    adapters = copy.deepcopy(model.distill_features.adapters()['loss_mimic'])
    parameters = list(model.parameters())
    state = build(small_config(RETINA), seed=5).state_dict()
    load(model, state, strict=True)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    kept = model.distill_features.adapters()['loss_mimic']
    assert all(torch.equal(value, kept[key]) for key, value in adapters.items())
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))


@pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
def test_strict_loading_still_refuses_foreign_keys(make, load):
    model = make(dict(loss_mimic=MIMIC))
    state = {**model.state_dict(), 'distill_features.loss_other.weight': torch.zeros(1)}
    with pytest.raises(RuntimeError, match='distill_features.loss_other'):
        load(model, state, strict=True)


def test_adapters_go_from_one_detector_to_another(make):
    model, other = make(dict(loss_mimic=MIMIC)), make(dict(loss_mimic=MIMIC))
    step(model)
    other.distill_features.load_adapters(copy.deepcopy(model.distill_features.adapters()))
    ours, theirs = (list(m.distill_features.parameters()) for m in (model, other))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ('features', 'message'),
    [
        (dict(loss_other=MIMIC), 'has loss_other. It has adapters of loss_mimic'),
        (dict(loss_mimic={**MIMIC, 'teacher_channels': [8] * 5}), 'size mismatch for adapters.0'),
    ],
)
def test_adapters_of_another_config_are_refused(make, features, message):
    states = make(dict(loss_mimic=MIMIC)).distill_features.adapters()
    with pytest.raises(ValueError, match=f'do not fit distill_features.*{message}'):
        make(features).distill_features.load_adapters(states)


def test_adapters_that_nobody_saves_are_refused(make):
    with pytest.raises(RuntimeError, match="loss_mimic trains adapters.*'DistillAdapterHook'.*cus"):
        training_losses(make(dict(loss_pkd=PKD, loss_mimic=MIMIC), saved=False))
    training_losses(make(dict(loss_pkd=PKD), saved=False))


def test_a_factor_of_zero_computes_nothing_and_keeps_the_log(make):
    model = make(dict(loss_pkd=PKD, loss_mimic=MIMIC))
    keys = training_losses(model).keys()
    ran = []
    for losses in (model.distill_losses, model.distill_features):
        for loss in losses.values():
            loss.register_forward_hook(lambda loss, *_: ran.append(type(loss).__name__))
    model.distill_factors.update(loss_mimic=0.0, loss_rank=0.0)
    losses = training_losses(model)
    assert sorted(ran) == ['KnowledgeDistillationKLDivLoss', 'PKDLoss']
    assert losses.keys() == keys
    assert losses['loss_mimic'] == losses['loss_rank'] == 0


def test_what_does_not_fit_shows_at_once_at_a_factor_of_zero_too(make):
    model = make(dict(loss_pkd={**PKD, 'levels': [7]}))
    model.distill_factors['loss_pkd'] = 0.0
    with pytest.raises(ValueError, match='distill_features.loss_pkd: levels=.* names level 7'):
        training_losses(model)


def test_factors_multiply_the_weights(make):
    model = make(dict(loss_pkd=PKD))
    whole = training_losses(model)
    model.distill_factors.update(loss_pkd=0.25, loss_kd=2.0)
    parts = training_losses(model)
    torch.testing.assert_close(parts['loss_pkd'], 0.25 * whole['loss_pkd'])
    torch.testing.assert_close(parts['loss_kd'], 2 * whole['loss_kd'])
    torch.testing.assert_close(parts['loss_rank'], whole['loss_rank'])


@pytest.mark.parametrize('factor', [1.0, 0.0])
def test_ddp_needs_no_search_for_unused_parameters(make, tmp_path, factor):
    model = make(dict(loss_mimic=MIMIC))
    model.distill_factors['loss_mimic'] = factor
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        # The first computes all losses, the second may not, the third finds what is missing.
        for seed in range(3):
            data = model.data_preprocessor(raw_batch(seed=seed), training=True)
            loss, _ = model.parse_losses(wrapped(**data, mode='loss'))
            loss.backward()
    finally:
        torch.distributed.destroy_process_group()
    adapters = list(model.distill_features.parameters())
    assert len(adapters) == 10
    assert all(adapter.grad.ne(0).any() == bool(factor) for adapter in adapters)


class Plain(nn.Module):
    """A loss of a user's own, of two arguments."""

    def forward(self, student, teacher):
        return sum((s - t).abs().mean() for s, t in zip(student, teacher, strict=True))


def test_a_loss_of_a_users_own_plugs_in(make):
    MODELS.register_module(module=Plain, force=True)
    assert training_losses(make(dict(loss_plain=dict(type='Plain'))))['loss_plain'] > 0


def test_features_that_are_not_finite_are_named(make):
    model = make(dict(loss_pkd=PKD))
    # A channel that no head reads, in the teacher alone.
    model.teacher_session.model.neck.register_forward_hook(
        lambda _, __, levels: (levels[0].clone().fill_(float('nan')), *levels[1:])
    )
    model.teacher_session.model.bbox_head.register_forward_pre_hook(
        lambda _, args: ([level.nan_to_num() for level in args[0]],)
    )
    with pytest.raises(FloatingPointError, match="level 0 of the teacher's features behind loss_p"):
        training_losses(model)


def test_a_feature_loss_that_is_not_finite_is_named(make):
    model = make(dict(loss_pkd=PKD))
    model.distill_features['loss_pkd'].loss_weight = float('inf')
    with pytest.raises(FloatingPointError, match='the value of loss_pkd'):
        training_losses(model)


def test_necks_that_do_not_fit_are_refused_with_the_entry(make):
    teacher = small_config(RETINA, width=8)
    teacher.neck.out_channels = teacher.bbox_head.in_channels = 16
    model = make(dict(loss_pkd=PKD), teacher=teacher)
    with pytest.raises(ValueError, match='distill_features.loss_pkd: level 0 has 32 .* 16 in the'):
        training_losses(model)


@pytest.mark.parametrize(
    ('features', 'error', 'message'),
    [
        (dict(pkd=PKD), ValueError, 'distill_features.pkd: .*Rename it, say loss_pkd'),
        (dict(loss_x=dict(type='NoSuchLoss')), KeyError, 'distill_features.loss_x: .*NoSuchLoss'),
        (dict(loss_kd=PKD), ValueError, 'loss_kd is both in distill_losses and in distill_'),
        (dict(loss_x=RANK), ValueError, 'loss_x: KendallRankLoss compares logits: name it in dist'),
    ],
)
def test_refused_entries(features, error, message):
    config = distiller_config(small_config(RETINA), {}, 'absent.pth', distill_features=features)
    with pytest.raises(error, match=message):
        MODELS.build(config)


def test_a_feature_loss_among_those_on_logits_is_refused():
    losses = dict(loss_kd=KD, loss_x=PKD)
    config = distiller_config(small_config(RETINA), {}, 'absent.pth', distill_losses=losses)
    with pytest.raises(ValueError, match='loss_x: PKDLoss compares features: name it in distill_f'):
        MODELS.build(config)


def test_a_name_that_the_student_uses_is_refused(make):
    model = make(dict(loss_cls=PKD))
    with pytest.raises(
        ValueError, match="distill_features has loss_cls, a name that the student's"
    ):
        training_losses(model)


def test_a_student_that_computes_its_features_twice_is_refused(make):
    model = make(dict(loss_pkd=PKD))
    head_loss = model.bbox_head.loss
    model.bbox_head.loss = lambda *args: (
        model.extract_feat(torch.zeros(1, 3, 64, 64)) and (head_loss(*args))
    )
    with pytest.raises(NotImplementedError, match='called extract_feat 2 times'):
        training_losses(model)


def test_the_example_of_the_docs(tmp_path):
    (example,) = re.findall(r'```python\n(.*?)```', DOCS.read_text(), re.DOTALL)
    (tmp_path / 'example.py').write_text(example)
    config = Config.fromfile(tmp_path / 'example.py')
    losses = MODELS.build(config.model).distill_features
    assert list(losses) == ['loss_pkd', 'loss_mimic']
    levels = [torch.randn(1, 256, 2**size, 2**size) for size in (4, 3, 2, 1, 0)]
    values = losses([levels], levels, dict.fromkeys(losses, 1.0))
    assert values['loss_pkd'].abs() < 1e-5 < values['loss_mimic']
    assert [HOOKS.get(hook.type) for hook in config.custom_hooks] == [DistillAdapterHook]
