"""Distilling heads that classify cells: heat maps of centres and corners, and grids."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper

from mmdet_kdrank.heads.capture import watch_forward
from tests.detectors import KD, RANK, build, distiller_config, raw_batch, save_teacher
from tests.detectors import training_losses as losses_of
from tests.distillers.cells import (
    BOXES,
    CENTERNET,
    CENTRIPETAL,
    CORNERNET,
    DECOUPLED,
    MASKS,
    SOLO,
    SOLOV2,
    cell_config,
)

PREFIXES = {CORNERNET: ('tl.', 'br.'), CENTRIPETAL: ('tl.', 'br.')}


def options_for(name):
    family = 'InstanceSegmentor' if name in MASKS else 'Detector'
    return dict(type=f'DistillSingleStage{family}', student_type=cell_config(name).type)


def make(tmp_path, name, width=8, **options):
    teacher = cell_config(name, width)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    config = distiller_config(cell_config(name), teacher, checkpoint, **options)
    config.update(options_for(name))
    return build(config)


def training_losses(model, name):
    return losses_of(model, masks=name in MASKS)


@pytest.mark.parametrize('name', [*BOXES, *MASKS])
def test_both_sides_are_compared_cell_by_cell(tmp_path, name):
    model = make(tmp_path, name, selector=dict(type='TopkSamples', k=10_000))
    samples, select = [], model.distill_terms.selector
    model.distill_terms.selector = lambda rows: samples.append(rows) or select(rows)
    head = model.bbox_head if name in BOXES else model.mask_head
    seen = []
    with watch_forward(head, lambda _, result: seen.append(result)):
        losses = training_losses(model, name)
    kinds = {SOLO: [1], SOLOV2: [1], DECOUPLED: [2], CENTERNET: [0]}.get(name, [0, 1])
    teacher = model.teacher_session.model
    images = model.data_preprocessor(raw_batch(), training=True)['inputs']
    with torch.no_grad():
        theirs = (teacher.bbox_head if name in BOXES else teacher.mask_head)(
            teacher.extract_feat(images)
        )
    assert len(samples) == len(kinds)
    for kind, rows, prefix in zip(kinds, samples, PREFIXES.get(name, ('',)), strict=True):
        for ours, maps in ((rows.student, seen[0][kind]), (rows.teacher, theirs[kind])):
            flat = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, 5) for level in maps])
            ours = ours.sigmoid() if name == CENTERNET else ours
            torch.testing.assert_close(ours, flat)
        assert losses[f'{prefix}loss_rank'] > 0
        assert -1 <= losses[f'{prefix}distill_tau'] <= 1
        assert rows.labels.min() >= 0 and rows.positive().any()
        assert (rows.labels == 5).any() and rows.weights.eq(1).all()
        assert rows.avg_factor > 0


def rows_of_a_step(model, name):
    seen, select = [], model.distill_terms.selector
    model.distill_terms.selector = lambda rows: seen.append(rows) or select(rows)
    return training_losses(model, name), seen[0]


def test_the_positives_of_a_heat_map_are_the_cells_of_the_centres(tmp_path):
    _, rows = rows_of_a_step(make(tmp_path, CENTERNET), CENTERNET)
    expected = {}
    for image, sample in enumerate(raw_batch()['data_samples']):
        for box, label in zip(*(sample.gt_instances[k] for k in ('bboxes', 'labels')), strict=True):
            x, y = ((box[:2] + box[2:]) / 2 / 4).int().tolist()
            expected[image * 256 + y * 16 + x] = int(label)
    positive = rows.positive().nonzero().squeeze(1)
    assert dict(zip(positive.tolist(), rows.labels[positive].tolist(), strict=True)) == expected
    assert rows.avg_factor == len(expected)


@pytest.mark.parametrize('name', MASKS)
def test_the_class_loss_of_a_grid_is_the_one_that_the_head_trains_on(tmp_path, name):
    model = make(tmp_path, name)
    losses, rows = rows_of_a_step(model, name)
    again = model.mask_head.loss_cls(
        rows.student, rows.labels, rows.weights, avg_factor=rows.avg_factor
    )
    torch.testing.assert_close(again, losses['loss_cls'])


@pytest.mark.parametrize('name', [CENTERNET, SOLO])
def test_equal_detectors_agree(tmp_path, name):
    model = make(tmp_path, name, width=4)
    model.teacher_session.model.load_state_dict(
        {key: value for key, value in model.state_dict().items() if 'distill' not in key}
    )
    # With the student's statistics of batch norm on this batch.
    model.eval()
    losses = training_losses(model, name) if name == CENTERNET else solo_losses(model)
    torch.testing.assert_close(losses['loss_kd'], torch.zeros(()), atol=1e-6, rtol=0)
    assert losses['distill_top1'] == 1


def solo_losses(model):
    """SOLO's head gives other outputs in evaluation, so it alone stays in training."""
    model.mask_head.training = True
    return training_losses(model, SOLO)


@pytest.mark.parametrize('name', [CENTERNET, CORNERNET, SOLOV2])
def test_null_weights_train_the_stock_student_bit_for_bit(tmp_path, name):
    zero = dict(loss_kd={**KD, 'loss_weight': 0.0}, loss_rank={**RANK, 'loss_weight': 0.0})
    stock = build(cell_config(name))
    distilled = make(tmp_path, name, distill_losses=zero)
    for model in (stock, distilled):
        wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
        for seed in range(3):
            model.train_step(raw_batch(seed=seed, masks=name in MASKS), wrapper)
    states = distilled.state_dict(), stock.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


@pytest.mark.parametrize('selector', ['AllSamples', 'PositiveSamples', 'ScoreWeightedSamples'])
def test_every_selector_and_labelled_losses_train(tmp_path, selector):
    losses = dict(loss_dkd=dict(type='DKDLoss'), loss_rank=RANK)
    model = make(tmp_path, CENTERNET, selector=dict(type=selector), distill_losses=losses)
    values = training_losses(model, CENTERNET)
    (values['loss_dkd'] + values['loss_rank']).backward()
    assert model.bbox_head.heatmap_head[-1].weight.grad.abs().sum() > 0
    assert model.bbox_head.wh_head[-1].weight.grad is None


def test_other_grids_are_refused(tmp_path):
    teacher = cell_config(SOLO)
    teacher.mask_head.num_grids = [8, 6, 4, 3, 1]
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    config = distiller_config(cell_config(SOLO), teacher, checkpoint)
    config.update(options_for(SOLO))
    with pytest.raises(ValueError, match='grids of 8, 6, 4, 3, 2 .* grids of 8, 6, 4, 3, 1'):
        build(config)


def test_centres_and_corners_do_not_correspond(tmp_path):
    checkpoint = save_teacher(cell_config(CORNERNET), tmp_path / 'teacher.pth')
    config = distiller_config(cell_config(CENTERNET), cell_config(CORNERNET), checkpoint)
    config.update(options_for(CENTERNET))
    with pytest.raises(ValueError, match='classifies the centres .* the corners'):
        build(config)


def test_losses_that_need_boxes_are_refused(tmp_path):
    losses = dict(loss_mimic=dict(type='RankMimicLoss'))
    with pytest.raises(TypeError, match='CenterNetHead has no prior_generator'):
        training_losses(make(tmp_path, CENTERNET, distill_losses=losses), CENTERNET)
