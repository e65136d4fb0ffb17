"""Half precision, accumulation, clipping, averages and frozen or synchronised layers."""

from __future__ import annotations

import copy

import pytest
import torch
from mmcv.ops import RoIAlign
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper

from mmdet_kdrank.heads.capture import watch_forward
from tests.detectors import (
    FASTER,
    NUM_CLASSES,
    RETINA,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
)

DISTILLED = ('loss_kd', 'loss_rank')
NAMES = [FASTER, RETINA]


def distiller(name, folder, change=lambda config: None, num_classes=NUM_CLASSES, **options):
    """A distiller whose student has logits as spread as its teacher's."""
    student = small_config(name, num_classes=num_classes)
    teacher = small_config(name, width=8, num_classes=num_classes)
    change(student)
    change(teacher)
    checkpoint = save_teacher(teacher, folder / 'teacher.pth')
    model = build(distiller_config(student, teacher, checkpoint, **options))
    spread = torch.load(save_teacher(student, folder / 'student.pth', seed=3))
    model.load_state_dict(spread['state_dict'])
    # As a runner does: a frozen or fixed batch norm is so from here on.
    return model.train()


class RoIAlignInFloat32(RoIAlign):
    """On a CPU mmcv's takes no bfloat16, and neither does the torchvision of torch 2.1."""

    def forward(self, input, rois):
        with torch.autocast('cpu', enabled=False):
            return super().forward(input.float(), rois.float()).to(input.dtype)


def float32_roi_align(config):
    if 'roi_head' in config:
        config.roi_head.bbox_roi_extractor.roi_layer.type = RoIAlignInFloat32


def same_proposals(model):
    """Have a two-stage student take the proposals of its first batch on all that follow.

    mmcv's NMS takes no bfloat16 on a CPU, and other proposals are other samples.
    """
    if not hasattr(model, 'rpn_head'):
        return
    find, found = model.rpn_head.loss_and_predict, []

    def loss_and_predict(*args, **kwargs):
        if not found:
            found.append(find(*args, **kwargs)[1])
        return {}, copy.deepcopy(found[0])

    model.rpn_head.loss_and_predict = loss_and_predict


def losses(model, half=False, batch=None):
    data = model.data_preprocessor(copy.deepcopy(batch) or raw_batch(), training=True)
    torch.manual_seed(0)
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=half):
        return model(**data, mode='loss')


def class_layer(model):
    return (
        model.roi_head.bbox_head.fc_cls
        if hasattr(model, 'roi_head')
        else (model.bbox_head.retina_cls)
    )


@pytest.mark.parametrize('name', NAMES)
def test_bfloat16_agrees_with_float32(name, tmp_path):
    # Of few classes, one pair that is tied to three digits would change the hard coefficient.
    model = distiller(name, tmp_path, float32_roi_align, num_classes=40)
    same_proposals(model)
    with torch.no_grad():
        full, half = losses(model), losses(model, half=True)
    for key in (*DISTILLED, 'distill_tau'):
        assert half[key].dtype == torch.float32
        assert float(half[key]) == pytest.approx(float(full[key]), abs=1e-2)
    assert not all(torch.equal(half[key], full[key]) for key in DISTILLED)


@pytest.mark.parametrize('half', [False, True], ids=['float32', 'bfloat16'])
@pytest.mark.parametrize('name', NAMES)
def test_logits_of_10_000_stay_finite(name, half, tmp_path):
    model = distiller(name, tmp_path, float32_roi_align)
    same_proposals(model)
    for side in (model, model.teacher_session.model):
        layer = class_layer(side)
        seen = []
        with watch_forward(layer, lambda _, out, seen=seen: seen.append(out.abs().max())):
            losses(model)
        factor = 1e4 / float(max(seen))
        layer.weight.data *= factor
        layer.bias.data *= factor
    values = losses(model, half)
    assert all(value.isfinite().all() for value in values.values() if torch.is_tensor(value))
    total = sum(values[key] for key in DISTILLED)
    total.backward()
    gradient = class_layer(model).weight.grad
    assert gradient.isfinite().all()


def one_by_one(batch):
    return [{key: [value[i]] for key, value in batch.items()} for i in range(len(batch['inputs']))]


def every_roi(config):
    # More than there are proposals: nothing is left to chance, and as many RoIs an image.
    if 'roi_head' in config:
        config.train_cfg.rcnn.sampler.num = 512


def accumulated(model, batches):
    """Gradients of the distillation losses after MMEngine's accumulation over the batches."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = OptimWrapper(optimizer, accumulative_counts=len(batches))
    wrapper.initialize_count_status(model, 0, len(batches))
    before = [p.detach().clone() for p in model.parameters()]
    for batch in batches:
        values = losses(model, batch=batch)
        with wrapper.optim_context(model):
            wrapper.update_params(sum(values[key] for key in DISTILLED))
    after = [p.detach().clone() for p in model.parameters()]
    for p, value in zip(model.parameters(), before, strict=True):
        p.data.copy_(value)
    return [a - b for a, b in zip(before, after, strict=True)]


def assert_close(one, other):
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('name', NAMES)
def test_accumulation_equals_the_large_batch(name, tmp_path):
    """With as many rows an image: every RoI, or the teacher's best k anchors."""
    options = dict(selector=dict(type='AllSamples')) if name == FASTER else {}
    model = distiller(name, tmp_path, every_roi, **options)
    batch = raw_batch(((64, 64), (64, 64)))
    large = accumulated(model, [batch])
    assert any(gradient.abs().max() > 1e-3 for gradient in large)
    assert_close(accumulated(model, one_by_one(batch)), large)


def test_accumulation_weighs_images_and_not_their_samples(tmp_path):
    """Where images differ in their number of samples, each micro-batch has its own normaliser."""
    model = distiller(RETINA, tmp_path, selector=dict(type='PositiveSamples'))
    select, counts = model.distill_terms.selector, []
    model.distill_terms.selector = lambda rows: counts.append(len(select(rows))) or select(rows)
    one, other = raw_batch(((64, 64),), boxes=1), raw_batch(((64, 64),), boxes=6, seed=1)
    batch = {key: one[key] + other[key] for key in one}
    apart = [accumulated(model, [part]) for part in one_by_one(batch)]
    together, in_turn = accumulated(model, [batch]), accumulated(model, one_by_one(batch))
    few, many = counts[:2]
    assert 0 < few < many
    share = few / (few + many)
    assert_close([share * a + (1 - share) * b for a, b in zip(*apart, strict=True)], together)
    assert_close([(a + b) / 2 for a, b in zip(*apart, strict=True)], in_turn)
    assert max((a - b).abs().max() for a, b in zip(together, in_turn, strict=True)) > 1e-3


@pytest.mark.parametrize('name', NAMES)
def test_clipping_sees_all_losses(name, tmp_path):
    model = distiller(name, tmp_path)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    logged = model.train_step(raw_batch(), OptimWrapper(optimizer, clip_grad=dict(max_norm=0.1)))
    moved = torch.cat([(p - b).flatten() for p, b in zip(model.parameters(), before, strict=True)])
    assert float(moved.norm()) == pytest.approx(0.1, rel=1e-3)
    assert logged['loss_kd'] > 0


def test_the_moving_average_is_that_of_the_student(tmp_path):
    model = distiller(RETINA, tmp_path)
    average = ExponentialMovingAverage(model, momentum=0.1)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    key, expected = 'bbox_head.retina_cls.weight', None
    for seed in range(3):
        model.train_step(raw_batch(seed=seed), wrapper)
        average.update_parameters(model)
        value = model.state_dict()[key].clone()
        expected = value if expected is None else expected + 0.1 * (value - expected)
    torch.testing.assert_close(average.module.state_dict()[key], expected)
    assert average.module.state_dict().keys() == model.state_dict().keys()


def synchronised(config):
    config.backbone.norm_cfg = dict(type='SyncBN', requires_grad=True)


def trained_statistics(config):
    config.backbone.norm_eval = False


def both(config):
    synchronised(config)
    trained_statistics(config)


def test_syncbn_in_one_process_is_batch_norm(tmp_path):
    plain = distiller(RETINA, tmp_path, trained_statistics)
    synced = distiller(RETINA, tmp_path, both)
    values = losses(plain), losses(synced)
    for key in DISTILLED:
        assert torch.equal(values[0][key], values[1][key])
    states = plain.state_dict(), synced.state_dict()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_a_teacher_with_syncbn_waits_for_no_other_process(tmp_path):
    """In evaluation it uses its own statistics, on a CPU in a group of processes too."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        model = distiller(RETINA, tmp_path, synchronised)
        assert any(
            isinstance(m, torch.nn.SyncBatchNorm) for m in model.teacher_session.model.modules()
        )
        assert losses(model)['loss_kd'] > 0
    finally:
        torch.distributed.destroy_process_group()


def test_frozen_stages_stay(tmp_path):
    def freeze(config):
        config.backbone.frozen_stages = 2

    model = distiller(FASTER, tmp_path, freeze)
    before = copy.deepcopy(model.state_dict())
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.02))
    for seed in range(2):
        model.train_step(raw_batch(seed=seed), wrapper)
    still = {key for key, value in model.state_dict().items() if torch.equal(value, before[key])}
    stages = [f'backbone.{name}.' for name in ('conv1', 'bn1', 'layer1', 'layer2', 'layer3')]
    keys = [[key for key in before if key.startswith(stage)] for stage in stages]
    assert all(set(stage) <= still for stage in keys[:4])
    assert not {key for key in keys[4] if key.endswith('conv1.weight')} & still
