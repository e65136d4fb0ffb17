from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.hub import get_config
from mmengine.runner.checkpoint import get_external_models, get_torchvision_models

from mmdet_kdrank.teachers.verification import TeacherCheck
from tests.configs.files import ALL, COCO, CONFIGS, ON_COCO, parsed, parts

STOCK_CONFIGS = Path(mmdet.__file__).parent / '.mim/configs'
STOCK = {
    'cascade-mask-rcnn': 'mmdet::cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py',
    'faster-rcnn': 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'mask-rcnn': 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'retinanet': 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
}
LEARNING_RATE = {
    ('cascade-mask-rcnn', '1x'): 0.02,
    ('faster-rcnn', '1x'): 0.02,
    ('faster-rcnn', '180k'): 0.01,
    ('faster-rcnn', 'ms-180k'): 0.01,
    ('mask-rcnn', '1x'): 0.02,
    ('retinanet', '1x'): 0.01,
    ('retinanet', '180k'): 0.005,
    ('retinanet', 'ms-180k'): 0.005,
}
LOSSES = {
    'bkd': 'BinaryKDLoss',
    'dist': 'DISTLoss',
    'dkd': 'DKDLoss',
    'kd': 'KDLoss',
    'lskd': 'LSKDLoss',
    'mse': 'LogitMSELoss',
    'nkd': 'NKDLoss',
    'qfkd': 'QualityFocalKDLoss',
}
ALONG_CANDIDATES = {'-crank': 'CandidateRankLoss', '-rm': 'RankMimicLoss'}
# Alongside KL, on R101 -> R50 at 1x.
OTHER_KD = {
    'faster-rcnn': {'dist', 'dkd', 'lskd', 'mse', 'nkd'},
    'retinanet': {'bkd', 'dist', 'lskd', 'mse', 'qfkd'},
}
MASKS = ('cascade-mask-rcnn', 'mask-rcnn')
BACKBONES = {
    'r18': dict(type='ResNet', depth=18),
    'r50': dict(type='ResNet', depth=50),
    'mobilenetv2': dict(type='MobileNetV2'),
}


def bases(path: Path) -> list[Path]:
    """The base files of a config, in this repository or in MMDetection."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':
            names = ast.literal_eval(node.value)
            names = [names] if isinstance(names, str) else names
            return [
                STOCK_CONFIGS / name.removeprefix('mmdet::') if '::' in name else path.parent / name
                for name in names
            ]
    return []


def depth(path: Path) -> int:
    return max((1 + depth(base) for base in bases(path)), default=0)


def literal(node: ast.expr) -> Any:
    """The value of an expression of literals and ``dict(...)`` calls, as a config is written."""
    if isinstance(node, ast.Call):
        assert node.func.id == 'dict'
        assert not node.args
        return {keyword.arg: literal(keyword.value) for keyword in node.keywords}
    return ast.literal_eval(node)


def own_model(path: Path) -> dict[str, ast.expr]:
    """The keys of ``model = dict(...)`` that the file itself writes, with their expressions."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == 'model':
            return {keyword.arg: keyword.value for keyword in node.value.keywords}
    return {}


def unscoped(value: Any) -> Any:
    """Without the scope that MMEngine notes in what it inherits from another package."""
    if isinstance(value, dict):
        return {key: unscoped(item) for key, item in value.items() if key != '_scope_'}
    return [unscoped(item) for item in value] if isinstance(value, list) else value


def test_all_published_pairs_are_shipped():
    plain = [n for n in COCO if not parts(n)['candidates'] and not parts(n)['features']]
    kd = [n for n in plain if parts(n)['kd'] == 'kd' and parts(n)['family'] not in MASKS]
    pairs = {(p['family'], p['teacher'], p['student']) for p in map(parts, kd)}
    assert pairs == {
        ('faster-rcnn', 'r101', 'r18'),
        ('faster-rcnn', 'r101', 'r50'),
        ('faster-rcnn', 'r50', 'mobilenetv2'),
        ('retinanet', 'r101', 'r50'),
        ('retinanet', 'r101', 'r18'),
    }
    assert len(kd) == len(pairs) * len(('kd', 'kd-rank')) * len(('1x', '180k', 'ms-180k'))


@pytest.mark.parametrize(('family', 'kd'), [('faster-rcnn', 'dkd'), ('retinanet', 'bkd')])
def test_mdistillers_setting_has_a_second_kd_for_every_pair(family, kd):
    kept = [p for p in map(parts, COCO) if (p['family'], p['schedule']) == (family, 'ms-180k')]
    pairs = {(p['teacher'], p['student']) for p in kept}
    rows = {(p['teacher'], p['student'], p['kd'], p['rank']) for p in kept}
    assert rows == {(*pair, k, r) for pair in pairs for k in ('kd', kd) for r in (None, '-rank')}


@pytest.mark.parametrize('family', MASKS)
def test_mask_pairs_are_shipped_at_1x(family):
    shipped = [name for name in COCO if parts(name)['family'] == family]
    folder = {'cascade-mask-rcnn': 'cascade_rcnn', 'mask-rcnn': 'mask_rcnn'}[family]
    assert shipped == [
        f'{folder}/{family}_r101-r50_{losses}_1x_coco.py' for losses in ('kd-rank', 'kd')
    ]
    assert all(parsed(name).val_evaluator.metric == ['bbox', 'segm'] for name in shipped)


@pytest.mark.parametrize('family', OTHER_KD)
def test_every_other_kd_is_shipped_with_and_without_rank(family):
    others = [
        p
        for p in map(parts, COCO)
        if p['family'] == family and p['kd'] != 'kd' and p['schedule'] != 'ms-180k'
    ]
    assert {(p['teacher'], p['student'], p['schedule']) for p in others} == {('r101', 'r50', '1x')}
    wanted = {(kd, rank) for kd in OTHER_KD[family] for rank in (None, '-rank')}
    assert {(p['kd'], p['rank']) for p in others} == wanted
    assert len(others) == len(wanted)


@pytest.mark.parametrize('family', OTHER_KD)
def test_losses_along_the_candidates_are_shipped(family):
    along = [p for p in map(parts, COCO) if p['family'] == family and p['candidates']]
    assert {(p['teacher'], p['student'], p['schedule']) for p in along} == {('r101', 'r50', '1x')}
    assert sorted((p['kd'], p['rank'] or '', p['candidates']) for p in along) == [
        ('kd', '', '-crank'),
        ('kd', '', '-rm'),
        ('kd', '-rank', '-crank'),
    ]


@pytest.mark.parametrize('name', ALL)
def test_is_short_flat_and_parses(name):
    path = CONFIGS / name
    assert len(path.read_text().splitlines()) <= 25
    assert depth(path) <= 2
    config = parsed(name)
    assert config.model.type
    assert 'mmdet_kdrank' in config.custom_imports.imports
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator'):
        assert config[key]


@pytest.mark.parametrize('name', ALL)
def test_shows_what_it_distils(name):
    written, model = own_model(CONFIGS / name), parsed(name).model.to_dict()
    assert ('distill_losses' in written) == ('teacher' in model)
    for key in {'distill_losses', 'distill_features', 'selector'} & model.keys():
        assert literal(written[key]) == model[key]


@pytest.mark.parametrize('name', COCO)
def test_is_what_its_name_says(name):
    named, config = parts(name), parsed(name)
    # As in MMDetection, a Cascade with masks is in the folder of those without.
    assert named['folder'] == named['family'].replace('cascade-mask', 'cascade').replace('-', '_')
    head = 'TwoStage' if 'rcnn' in named['family'] else 'SingleStage'
    assert config.model.type == f'Distill{head}Detector'
    for key, value in BACKBONES[named['student']].items():
        assert config.model.backbone[key] == value
    teacher = config.model.teacher.config
    assert teacher.startswith(f'mmdet::{named["folder"]}/{named["family"]}_{named["teacher"]}_fpn_')
    losses = {f'loss_{named["kd"]}': LOSSES[named['kd']]}
    if named['rank']:
        losses['loss_rank'] = 'KendallRankLoss'
    if named['candidates']:
        losses[f'loss_{named["candidates"][1:]}'] = ALONG_CANDIDATES[named['candidates']]
    assert {key: loss.type for key, loss in config.model.distill_losses.items()} == losses
    features = {'loss_pkd': 'PKDLoss'} if named['features'] else {}
    distilled = config.model.get('distill_features', {})
    assert {key: loss.type for key, loss in distilled.items()} == features


@pytest.mark.parametrize('name', [n for n in COCO if parts(n)['rank'] and not parts(n)['features']])
def test_rank_is_all_that_its_twin_lacks(name):
    model, twin = parsed(name).model.to_dict(), parsed(name.replace('-rank', '')).model.to_dict()
    del model['distill_losses']['loss_rank']
    assert model == twin


@pytest.mark.parametrize('name', [n for n in COCO if parts(n)['candidates']])
def test_the_loss_along_the_candidates_is_all_that_its_twin_lacks(name):
    added = parts(name)['candidates']
    model, twin = parsed(name).model.to_dict(), parsed(name.replace(added, '')).model.to_dict()
    del model['distill_losses'][f'loss_{added[1:]}']
    assert model == twin


@pytest.mark.parametrize('family', sorted(STOCK.keys() - set(MASKS)))
def test_features_are_distilled_alongside_kd_and_rank(family):
    (name,) = (n for n in COCO if parts(n)['features'] and parts(n)['family'] == family)
    named = parts(name)
    assert (named['teacher'], named['student'], named['schedule']) == ('r101', 'r50', '1x')
    model, twin = parsed(name).model.to_dict(), parsed(name.replace('pkd-', '')).model
    del model['distill_features']
    assert model == twin


@pytest.mark.parametrize('name', ON_COCO)
def test_teacher_is_the_published_one(name):
    teacher = parsed(name).model.teacher
    assert get_config(teacher.config, pretrained=True).model_path == teacher.checkpoint


@pytest.mark.parametrize('name', ON_COCO)
def test_teacher_is_evaluated_first(name):
    """By MMDetection's own tools too: the hook is in the config."""
    config = parsed(name)
    assert config.custom_hooks == [dict(type='VerifyTeacherHook')]
    check = TeacherCheck.from_option(config.model.teacher.verify)
    # Half of what was published: a fault shows, and a hundred images are enough.
    assert (check.num_images, check.min_map) == (100, 0.2)


@pytest.mark.parametrize('name', ON_COCO)
def test_student_starts_from_imagenet(name):
    """MMEngine's tables resolve the name; nothing is fetched."""
    source = parsed(name).model.backbone.init_cfg.checkpoint
    scheme, _, model = source.partition('://')
    table = {'torchvision': get_torchvision_models, 'open-mmlab': get_external_models}[scheme]()
    assert table[model].startswith('https://')


@pytest.mark.parametrize('name', [n for n in COCO if parts(n)['schedule'] == '1x'])
def test_1x_is_the_stock_schedule(name):
    config, named = parsed(name), parts(name)
    stock = get_config(STOCK[named['family']])
    for key in (
        *('train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator'),
        *('train_cfg', 'param_scheduler', 'optim_wrapper', 'auto_scale_lr', 'default_hooks'),
    ):
        assert unscoped(config[key]) == stock[key], key
    assert config.optim_wrapper.optimizer.lr == LEARNING_RATE[named['family'], '1x']
    if named['student'] == 'r50':
        own = ('type', 'teacher', 'distill_losses', 'distill_features')
        model = {key: value for key, value in config.model.items() if key not in own}
        stock_model = {key: value for key, value in stock.model.items() if key != 'type'}
        assert unscoped(model) == stock_model


@pytest.mark.parametrize('name', [n for n in COCO if parts(n)['schedule'] == 'ms-180k'])
def test_mdistillers_setting(name):
    config = parsed(name)
    resize = next(step for step in config.train_dataloader.dataset.pipeline if 'scales' in step)
    assert resize.type == 'RandomChoiceResize'
    assert [scale[1] for scale in resize.scales] == [640, 672, 704, 736, 768, 800]
    assert '3x' in config.model.teacher.config
    if parts(name)['family'] == 'faster-rcnn':
        assert config.model.selector == dict(type='AllSamples')
    if parts(name)['rank']:
        assert config.model.distill_losses.loss_rank.preset == 'paper'


@pytest.mark.parametrize('name', [n for n in COCO if parts(n)['schedule'].endswith('180k')])
def test_180k_schedule(name):
    config, named = parsed(name), parts(name)
    assert config.train_cfg.type == 'IterBasedTrainLoop'
    assert config.train_cfg.max_iters == 180000
    warmup, steps = config.param_scheduler
    assert (warmup.type, warmup.by_epoch, warmup.end) == ('LinearLR', False, 1000)
    assert (steps.type, steps.by_epoch) == ('MultiStepLR', False)
    assert steps.milestones == [120000, 160000]
    assert config.train_dataloader.sampler.type == 'InfiniteSampler'
    assert config.train_dataloader.batch_size == 2
    assert config.auto_scale_lr.base_batch_size == 4 * config.train_dataloader.batch_size
    assert config.optim_wrapper.optimizer.lr == LEARNING_RATE[named['family'], named['schedule']]
    assert config.default_hooks.checkpoint.by_epoch is False
    assert config.log_processor.by_epoch is False


@pytest.mark.parametrize('name', [n for n in COCO if n.endswith('kd_180k_coco.py')])
def test_schedules_of_a_pair_share_the_model(name):
    assert parsed(name).model == parsed(name.replace('180k', '1x')).model


@pytest.mark.parametrize('student', BACKBONES)
def test_neck_fits_the_backbone(student):
    names = [n for n in COCO if parts(n)['student'] == student]
    config = parsed(names[0]).model
    for name in names:
        assert parsed(name).model.backbone == config.backbone
        assert parsed(name).model.neck.in_channels == config.neck.in_channels
    backbone = MODELS.build({**config.backbone, 'init_cfg': None})
    backbone.eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 64, 64))
    assert [level.shape[1] for level in maps] == config.neck.in_channels
    assert [64 // level.shape[2] for level in maps] == [4, 8, 16, 32]
