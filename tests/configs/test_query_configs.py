"""The configs of query-based detectors: what their names say, and a step of each model."""

from __future__ import annotations

import copy

import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper

from tests.configs.files import QUERIES, parsed
from tests.configs.test_configs import unscoped
from tests.detectors import raw_batch

STOCK = {
    'deformable_detr': 'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    'dino': 'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
}
RANKED = [name for name in QUERIES if '-rank' in name]


def test_pairs_are_shipped_with_and_without_rank():
    assert [
        f'{pair}_{losses}_{epochs}_coco.py'
        for pair, epochs in (
            ('deformable_detr/deformable-detr_r50-r18', '50e'),
            ('dino/dino_swin-l-r50', '12e'),
        )
        for losses in ('kd-rank', 'kd')
    ] == QUERIES


@pytest.mark.parametrize('name', QUERIES)
def test_is_the_stock_config_with_a_teacher(name):
    config, folder = parsed(name), name.split('/')[0]
    stock = get_config(STOCK[folder])
    assert (config.model.type, config.model.student_type) == (
        'DistillQueryDetector',
        stock.model.type,
    )
    for key in ('train_dataloader', 'val_dataloader', 'train_cfg', 'optim_wrapper'):
        assert unscoped(config[key]) == stock[key], key
    depth = 18 if '-r18' in name else 50
    assert config.model.backbone.depth == depth
    losses = {'loss_kd': 'KDLoss', **({'loss_rank': 'KendallRankLoss'} if name in RANKED else {})}
    assert {key: loss.type for key, loss in config.model.distill_losses.items()} == losses
    own = ('type', 'student_type', 'teacher', 'distill_losses')
    left_out = (*own, 'backbone', 'neck') if depth == 18 else own
    ours, theirs = (
        {key: value for key, value in unscoped(model).items() if key not in left_out}
        for model in (config.model.to_dict(), stock.model.to_dict())
    )
    assert ours == theirs


@pytest.mark.parametrize('name', RANKED)
def test_rank_is_all_that_its_twin_lacks(name):
    model, twin = parsed(name).model.to_dict(), parsed(name.replace('-rank', '')).model.to_dict()
    del model['distill_losses']['loss_rank']
    assert model == twin


def shallow(model: dict) -> dict:
    """With few layers, at full width, from scratch."""
    model.backbone.init_cfg = None
    if 'Swin' in model.backbone.type:
        model.backbone.depths = (1, 1, 1, 1)
    model.encoder.num_layers, model.decoder.num_layers = 1, 2
    return model


@pytest.mark.slow
@pytest.mark.parametrize('name', RANKED)
def test_one_step(name, tmp_path):
    config = Config(parsed(name).to_dict())
    teacher = shallow(get_config(config.model.teacher.config).model)
    torch.manual_seed(0)
    untrained = MODELS.build(copy.deepcopy(teacher))
    # Some of its parameters are memory as it was found before.
    untrained.init_weights()
    torch.save(untrained.state_dict(), tmp_path / 'teacher.pth')
    shallow(config.model).teacher = dict(
        config=teacher, checkpoint=str(tmp_path / 'teacher.pth'), verify=False
    )
    MessageHub.get_current_instance().update_info('dataset_meta', CocoDataset.METAINFO)
    model = MODELS.build(config.model)
    model.init_weights()
    model.train()
    unused = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    for key in list(unused):
        model.get_parameter(key).register_hook(lambda _, key=key: unused.discard(key))
    # DINO chooses 900 queries among the cells of all levels.
    batch = raw_batch(shapes=((256, 256), (192, 256)), num_classes=80)
    log = model.train_step(batch, build_optim_wrapper(model, config.optim_wrapper))
    assert not unused
    assert log['loss_kd'] > 0 and log['loss_rank'] > 0
    assert all(value.isfinite().all() for value in model.state_dict().values())
