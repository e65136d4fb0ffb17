"""Detectors with a mask head: it trains as in the stock student, and the teacher's never runs."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.optim import OptimWrapper

from mmdet_kdrank.distillers import DistillTwoStageDetector
from tests.detectors import (
    CASCADE,
    CASCADE_MASK,
    FASTER,
    KD,
    MASK,
    RANK,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
    training_losses,
)

MASKED = [MASK, CASCADE_MASK]
PAIRS = [(MASK, MASK), (MASK, FASTER), (FASTER, MASK)]
CASCADE_PAIRS = [(CASCADE_MASK, CASCADE_MASK), (CASCADE_MASK, CASCADE), (CASCADE, CASCADE_MASK)]


@pytest.fixture
def teacher(tmp_path):
    """A function that gives the config and checkpoint of a teacher for a stock config."""

    def make(name):
        config = small_config(name, width=8)
        return config, save_teacher(config, tmp_path / 'teacher.pth')

    return make


def prefixes(name):
    return ('s0.', 's1.', 's2.') if name in (CASCADE, CASCADE_MASK) else ('',)


def steps(model, count):
    """Losses of ``count`` optimizer steps from one seed."""
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))
    torch.manual_seed(7)
    return [model.train_step(raw_batch(seed=step, masks=True), wrapper) for step in range(count)]


@pytest.mark.parametrize('name', MASKED)
def test_null_weights_train_the_stock_student_bit_for_bit(teacher, name):
    zero = dict(loss_kd={**KD, 'loss_weight': 0.0}, loss_rank={**RANK, 'loss_weight': 0.0})
    student = small_config(name)
    stock = build(student)
    distilled = build(distiller_config(student, *teacher(name), distill_losses=zero))
    expected, seen = steps(stock, 3), steps(distilled, 3)
    for ours, theirs in zip(seen, expected, strict=True):
        assert all(theirs[f'{prefix}loss_mask'] > 0 for prefix in prefixes(name))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    states = distilled.state_dict(), stock.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


@pytest.mark.parametrize('name', MASKED)
def test_distillation_leaves_the_mask_loss_and_its_gradients_alone(teacher, name):
    student = small_config(name)
    stock, distilled = build(student), build(distiller_config(student, *teacher(name)))
    expected, losses = (training_losses(model, masks=True) for model in (stock, distilled))
    keys = [f'{prefix}loss_mask' for prefix in prefixes(name)]
    for key in keys:
        assert torch.equal(losses[key], expected[key])
    sum(expected[key] for key in keys).backward()
    sum(losses[key] for key in keys).backward(retain_graph=True)
    for ours, theirs in zip(distilled.parameters(), stock.parameters(), strict=True):
        assert ours.grad is theirs.grad is None or torch.equal(ours.grad, theirs.grad)
    distilled.zero_grad()
    sum(value for key, value in losses.items() if key.endswith(('_kd', '_rank'))).backward()
    assert all(p.grad is None for p in distilled.roi_head.mask_head.parameters())
    assert distilled.backbone.conv1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(('student', 'source'), PAIRS + CASCADE_PAIRS)
def test_either_side_may_have_masks(teacher, student, source):
    model = build(distiller_config(small_config(student), *teacher(source)))
    assert isinstance(model, DistillTwoStageDetector)
    frozen = model.teacher_session.model
    assert frozen.with_mask == (source in MASKED)
    runs = []
    if frozen.with_mask:
        heads = frozen.roi_head.mask_head
        for head in heads if isinstance(heads, torch.nn.ModuleList) else [heads]:
            head.register_forward_hook(lambda *_: runs.append(1))
    losses = training_losses(model, masks=True)
    for prefix in prefixes(student):
        names = ('loss_kd', 'loss_rank', 'distill_tau')
        assert {f'{prefix}{name}' for name in names} < losses.keys()
        assert losses[f'{prefix}loss_kd'] > 0
        assert (f'{prefix}loss_mask' in losses) == (student in MASKED)
    assert not runs


@pytest.mark.parametrize(('masked', 'plain'), [(MASK, FASTER), (CASCADE_MASK, CASCADE)])
def test_a_mask_teacher_teaches_what_it_does_without_its_mask_head(
    teacher, tmp_path, masked, plain
):
    config, checkpoint = teacher(masked)
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    boxes = {key: value for key, value in state.items() if 'mask' not in key}
    assert len(boxes) < len(state)
    torch.save(boxes, tmp_path / 'boxes.pth')
    sources = (config, checkpoint), (small_config(plain, width=8), str(tmp_path / 'boxes.pth'))
    student = small_config(plain)
    with_masks, without = (
        training_losses(build(distiller_config(student, *source))) for source in sources
    )
    assert with_masks.keys() == without.keys()
    for key, value in with_masks.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(without[key])), key


def test_the_teachers_mask_head_is_loaded_strictly(teacher, tmp_path):
    config, checkpoint = teacher(MASK)
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    model = build(distiller_config(small_config(FASTER), config, checkpoint))
    for key, value in model.teacher_session.model.state_dict().items():
        assert torch.equal(value, state[key])
    torch.save({k: v for k, v in state.items() if 'mask' not in k}, tmp_path / 'boxes.pth')
    cut = distiller_config(small_config(FASTER), config, str(tmp_path / 'boxes.pth'))
    with pytest.raises(ValueError, match=r'missing keys \(roi_head\.mask_head\.'):
        build(cut)
    plain = distiller_config(small_config(FASTER), small_config(FASTER, width=8), checkpoint)
    with pytest.raises(ValueError, match=r'unexpected keys \(roi_head\.mask_head\.'):
        build(plain)


@pytest.mark.parametrize('name', MASKED)
def test_the_student_predicts_masks_without_a_teacher(name):
    config = distiller_config(small_config(name), 'absent.py', 'absent.pth')
    config.test_cfg.rcnn.score_thr = 0.0
    model = MODELS.build(config).eval()
    with torch.no_grad():
        results = model.test_step(raw_batch(masks=True))
    for result, shape in zip(results, ((64, 64), (48, 64)), strict=True):
        found = result.pred_instances
        assert len(found) > 0
        assert found.masks.shape == (len(found), *shape) and found.masks.dtype == torch.bool
