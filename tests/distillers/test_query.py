"""Distilling query-based detectors of every kind, pair by pair."""

from __future__ import annotations

import pytest
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmengine.optim import OptimWrapper
from torch import nn

from mmdet_kdrank.diagnostics.iteration import IterationWatch
from mmdet_kdrank.heads.queries import run_queries
from tests.detectors import KD, RANK, RETINA, build, raw_batch, save_teacher, small_config
from tests.distillers.query_detectors import (
    DDQ,
    DECODERS,
    DEFORMABLE,
    DETR,
    DINO,
    QUERYINST,
    SPARSE,
    STAGES,
    query_config,
    query_distiller,
    query_distiller_config,
    query_losses,
)


def make(folder, name, teacher=None, **options):
    teacher = teacher or query_config(name, queries=16, width=8)
    return query_distiller(query_config(name), teacher, folder, **options)


def rows_of_a_step(model, name, **batch):
    seen, select = [], model.distill_terms.selector
    model.distill_terms.selector = lambda rows: seen.append(rows) or select(rows)
    return query_losses(model, name, **batch), seen


def without_dropout(model):
    """In training mode, with the outputs of evaluation: their batch norm never trains."""
    for module in model.train().modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return model


def taught_by_itself(folder, name, **options):
    model = without_dropout(make(folder, name, teacher=query_config(name), **options))
    model.teacher_session.model.load_state_dict(model.state_dict())
    return model


@pytest.mark.parametrize('name', [*DECODERS, *STAGES])
def test_pairs_of_queries_of_all_layers_are_rows(tmp_path, name):
    options = dict(layers='all', teacher_queries=5, selector=dict(type='AllSamples'))
    model = make(tmp_path, name, **options)
    losses, (first, last) = rows_of_a_step(model, name)
    prefixes = ('s0.', 's1.') if name in STAGES else ('d0.', '')
    for prefix in prefixes:
        assert {prefix + key for key in ('loss_kd', 'loss_rank', 'distill_tau')} < losses.keys()
    data = model.data_preprocessor(raw_batch(masks=name == QUERYINST), training=True)
    teacher = model.teacher_session
    with torch.no_grad():
        features = teacher.features(data['inputs'], data['data_samples'])
        layers = run_queries(teacher.model, features, data['data_samples'])
    for rows, layer in zip((first, last), layers, strict=True):
        assert rows.image.tolist() == [0] * 5 + [1] * 5
        for image, logits in enumerate(layer.logits):
            best = logits.softmax(1)[:, :5] if rows.background else logits.sigmoid()
            expected = logits[best.amax(1).argsort(descending=True)[:5]]
            torch.testing.assert_close(rows.teacher[rows.image == image], expected)
        assert rows.labels.min() >= 0 and rows.labels.max() <= 5
    gradients = torch.autograd.grad(
        losses[f'{prefixes[0]}loss_rank'] + losses[f'{prefixes[1]}loss_kd'],
        [weight for weight in model.parameters() if weight.requires_grad],
        allow_unused=True,
    )
    assert sum(float(g.abs().sum()) for g in gradients if g is not None) > 0


@pytest.mark.parametrize('name', [DETR, DEFORMABLE, DINO, DDQ, SPARSE])
def test_equal_detectors_match_one_to_one(tmp_path, name):
    """Also DINO and DDQ, whose student alone has denoising and dense queries."""
    model = taught_by_itself(tmp_path, name, layers='all')
    losses, seen = rows_of_a_step(model, name)
    for rows in seen:
        torch.testing.assert_close(rows.student, rows.teacher, atol=1e-5, rtol=1e-4)
    assert all(abs(value) < 1e-6 for key, value in losses.items() if key.endswith('loss_kd'))
    assert all(value == 1 for key, value in losses.items() if key.endswith('distill_top1'))


@pytest.mark.parametrize('name', [DETR, DEFORMABLE, SPARSE])
def test_permuted_queries_give_the_same_loss(tmp_path, name):
    model = without_dropout(make(tmp_path, name))
    before = query_losses(model, name)
    part = model.rpn_head if name == SPARSE else model
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    for module in part.children():
        if isinstance(module, nn.Embedding) and module.num_embeddings == 12:
            module.weight.data = module.weight.data[order]
    after = query_losses(model, name)
    prefix = 's1.' if name == SPARSE else ''
    for key in (f'{prefix}loss_kd', f'{prefix}loss_rank'):
        torch.testing.assert_close(before[key], after[key], atol=1e-5, rtol=1e-4)


def test_no_match_across_images(tmp_path):
    """The teacher's logits of an image are only among the rows of that image."""
    model = make(tmp_path, DETR, selector=dict(type='AllSamples'))
    _, (both,) = rows_of_a_step(model, DETR, shapes=((64, 64), (64, 64)))
    data = model.data_preprocessor(raw_batch(((64, 64), (64, 64))), training=True)
    for image in range(2):
        samples = data['data_samples'][image : image + 1]
        with torch.no_grad():
            features = model.teacher_session.features(data['inputs'][image : image + 1], samples)
            alone = run_queries(model.teacher_session.model, features, samples)[-1].logits[0]
        rows = both.teacher[both.image == image]
        assert torch.cdist(rows, alone).amin(1).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize('name', [DETR, DINO, SPARSE])
def test_null_weights_train_the_stock_student_bit_for_bit(tmp_path, name):
    zero = dict(loss_kd={**KD, 'loss_weight': 0.0}, loss_rank={**RANK, 'loss_weight': 0.0})
    stock = build(query_config(name))
    distilled = make(tmp_path, name, distill_losses=zero)
    logs = []
    for model in (stock, distilled):
        wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
        torch.manual_seed(7)
        logs.append([model.train_step(raw_batch(seed=seed), wrapper) for seed in range(3)])
    for ours, theirs in zip(logs[1], logs[0], strict=True):
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    states = distilled.state_dict(), stock.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


@pytest.mark.parametrize('name', [DETR, DEFORMABLE, SPARSE])
def test_queries_of_one_object_are_paired(tmp_path, name):
    model = make(tmp_path, name, matching='ground_truth', selector=dict(type='PositiveSamples'))
    _, (rows,) = rows_of_a_step(model, name)
    truth = [sample.gt_instances.labels.tolist() for sample in raw_batch()['data_samples']]
    for image in range(2):
        assert sorted(rows.labels[rows.image == image].tolist()) == sorted(truth[image])


@pytest.mark.parametrize('matching', ['hungarian', 'ground_truth'])
def test_no_ground_truth(tmp_path, matching):
    model = make(tmp_path, DEFORMABLE, matching=matching)
    losses = query_losses(model, DEFORMABLE, boxes=0)
    (losses['loss_kd'] + losses['loss_rank']).backward()
    assert (losses['loss_kd'] == 0) == (matching == 'ground_truth')


@pytest.mark.parametrize('selector', ['PositiveSamples', 'TopkSamples', 'AllSamples'])
def test_selectors_and_losses_with_labels(tmp_path, selector):
    model = make(
        tmp_path,
        DETR,
        selector=dict(type=selector),
        distill_losses=dict(loss_dkd=dict(type='DKDLoss'), loss_mimic=dict(type='RankMimicLoss')),
    )
    losses = query_losses(model, DETR)
    assert losses['loss_dkd'] > 0 and losses['loss_mimic'].isfinite()


def test_numbers_of_layers_queries_and_classes_may_differ(tmp_path, monkeypatch):
    monkeypatch.setattr('mmdet_kdrank.distillers.session.training_classes', lambda: tuple('edcxy'))
    teacher = query_config(DEFORMABLE, queries=7, layers=3, num_classes=4)
    meta = dict(dataset_meta=dict(classes=tuple('cdef')))
    model = make(tmp_path, DEFORMABLE, teacher=teacher, meta=meta, layers='all')
    losses, seen = rows_of_a_step(model, DEFORMABLE)
    assert [rows.student.shape for rows in seen] == [(14, 3), (14, 3)]
    assert 'd1.loss_kd' not in losses


def test_the_checkpoint_is_a_plain_students(tmp_path):
    model = make(tmp_path, DINO)
    stock = MODELS.build(query_config(DINO))
    stock.load_state_dict(model.state_dict(), strict=True)
    assert len(list(model.parameters())) == len(list(stock.parameters()))


@pytest.mark.parametrize('name', [DETR, SPARSE])
def test_a_measured_step(tmp_path, name):
    model = make(tmp_path, name)
    with IterationWatch(model, (0.1, 0.5), (1, 3)).watch() as values:
        query_losses(model, name)
    prefix = 's1.' if name == SPARSE else ''
    assert values[f'{prefix}gradient.loss_kd.ratio'] > 0
    assert f'{prefix}loss_kd.foreground' in values


def test_mixed_precision(tmp_path):
    model = make(tmp_path, DEFORMABLE)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = query_losses(model, DEFORMABLE)
    assert losses['loss_kd'].isfinite() and losses['loss_rank'].isfinite()


@pytest.mark.parametrize('name', [DETR, SPARSE])
@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_logits_that_are_not_finite_are_named(tmp_path, name, side):
    model = make(tmp_path, name)
    detector = model if side == 'student' else model.teacher_session.model
    head = detector.roi_head.bbox_head[-1] if name == SPARSE else detector.bbox_head
    head.fc_cls.bias.data[2] = float('nan')
    with pytest.raises(FloatingPointError, match=f"{side}'s logits behind .*loss_kd.*fc_cls.bias"):
        query_losses(model, name)


def test_values_that_are_not_finite_can_be_left_out(tmp_path):
    model = make(tmp_path, DETR, on_nonfinite='skip')
    broken = model.bbox_head.fc_cls.register_forward_hook(lambda *call: call[-1] * float('nan'))
    losses = query_losses(model, DETR)
    assert losses['distill_nonfinite'] == 1
    assert all(value == 0 for key, value in losses.items() if 'loss' in key)
    broken.remove()
    assert query_losses(model, DETR)['loss_cls'] > 0


def test_refused_options(tmp_path):
    student = query_config(DETR)
    config = query_distiller_config(student, {}, 'absent.pth')
    with pytest.raises(ValueError, match='matching.*nearest.*ground_truth'):
        MODELS.build(dict(config, matching='nearest'))
    with pytest.raises(ValueError, match='layers.*first.*last'):
        MODELS.build(dict(config, layers='first'))
    with pytest.raises(KeyError, match='match_costs: .*NoCost'):
        MODELS.build(dict(config, match_costs=[dict(type='NoCost')]))
    config.pop('student_type')
    with pytest.raises(ValueError, match='no class of its own.*student_type='):
        MODELS.build(config)


def test_refused_students_and_teachers(tmp_path):
    retina = query_distiller_config(small_config(RETINA), {}, 'absent.pth')
    with pytest.raises(ValueError, match="'RetinaNet' is no .*DistillSingleStageDetector"):
        MODELS.build(retina)
    with pytest.raises(ValueError, match='GroundingDINO cannot be distilled.*words of a prompt'):
        MODELS.build(dict(retina, student_type='GroundingDINO'))
    checkpoint = save_teacher(small_config(RETINA), tmp_path / 'retina.pth')
    config = query_distiller_config(query_config(DETR), small_config(RETINA), checkpoint)
    with pytest.raises(ValueError, match='The teacher is a RetinaNet.*DetectionTransformer'):
        build(config)
    checkpoint = save_teacher(query_config(DEFORMABLE), tmp_path / 'deformable.pth')
    config = query_distiller_config(query_config(DETR), query_config(DEFORMABLE), checkpoint)
    with pytest.raises(ValueError, match='their logits mean different things'):
        build(config)


def test_a_detr_teaches_another_kind(tmp_path):
    model = make(tmp_path, DEFORMABLE, teacher=query_config(DINO, queries=9))
    assert query_losses(model, DEFORMABLE)['loss_rank'] > 0


def test_a_detector_that_no_distiller_follows_is_refused_without_a_circle():
    """As Co-DETR, whose heads come in lists."""
    absent = dict.fromkeys(BaseDetector.__abstractmethods__)
    student = type('CoDETR', (BaseDetector,), absent)
    with pytest.raises(ValueError, match='CoDETR.*is no DetectionTransformer.*No distiller'):
        MODELS.build(dict(type='DistillQueryDetector', student_type=student))
