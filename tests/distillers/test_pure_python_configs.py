"""MMEngine's configs in pure Python, with classes instead of names."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmdet_kdrank.distillers.lost_overrides import assert_nothing_lost
from mmdet_kdrank.launch import hooks_of
from tests.detectors import raw_batch

STOCK = """
from mmdet.datasets import CocoDataset
from mmdet.models import FPN, DetDataPreprocessor, ResNet, RetinaHead, RetinaNet
from mmdet.models.losses import FocalLoss, L1Loss
from mmdet.models.task_modules import (
    AnchorGenerator, DeltaXYWHBBoxCoder, MaxIoUAssigner, PseudoSampler)

default_scope = None
train_dataloader = dict(dataset=dict(type=CocoDataset, metainfo=dict(classes=('a', 'b', 'c'))))
model = dict(
    type=RetinaNet,
    data_preprocessor=dict(type=DetDataPreprocessor, mean=[1.0] * 3, std=[1.0] * 3),
    backbone=dict(type=ResNet, depth=18, base_channels=4),
    neck=dict(type=FPN, in_channels=[4, 8, 16, 32], out_channels=8, num_outs=5),
    bbox_head=dict(
        type=RetinaHead, num_classes=3, in_channels=8, feat_channels=8, stacked_convs=1,
        anchor_generator=dict(
            type=AnchorGenerator, scales=[4], ratios=[1.0], strides=[4, 8, 16, 32, 64]),
        bbox_coder=dict(type=DeltaXYWHBBoxCoder),
        loss_cls=dict(type=FocalLoss), loss_bbox=dict(type=L1Loss)),
    train_cfg=dict(
        assigner=dict(type=MaxIoUAssigner, pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
        sampler=dict(type=PseudoSampler), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(nms_pre=10))
"""
DISTILLED = """
from mmengine.config import read_base
with read_base():
    from .stock import *
from mmdet.models import RetinaNet
from mmdet.models.losses import KnowledgeDistillationKLDivLoss
from mmdet_kdrank.distillers import DistillSingleStageDetector, TopkSamples
from mmdet_kdrank.losses import KendallRankLoss, LSKDLoss

model.update(
    type=DistillSingleStageDetector,
    student_type=RetinaNet,
    selector=dict(type=TopkSamples, k=10),
    teacher=dict(config='stock.py', checkpoint='teacher.pth'),
    distill_losses=dict(
        loss_kd=dict(type=LSKDLoss, loss=dict(type=KnowledgeDistillationKLDivLoss, T=1)),
        loss_rank=dict(type=KendallRankLoss)))
"""
SUBCLASS = """
from mmengine.config import read_base
with read_base():
    from .stock import *
from tests.distillers.test_pure_python_configs import {0}
model.update(type={0})
"""


class OverridingNet(MODELS.get('mmdet.RetinaNet')):
    def loss(self, *args):
        return super().loss(*args)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    (tmp_path / 'stock.py').write_text(STOCK)
    (tmp_path / 'distilled.py').write_text(DISTILLED)
    monkeypatch.chdir(tmp_path)
    stock = Config.fromfile('stock.py')
    torch.save(MODELS.build(stock.model).state_dict(), 'teacher.pth')
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


@pytest.mark.parametrize('teacher_is_a_file', [True, False])
def test_classes_instead_of_names_and_a_teacher_of_the_same_kind(teacher_is_a_file):
    config = Config.fromfile('distilled.py')
    if not teacher_is_a_file:
        config.model.teacher.config = Config.fromfile('stock.py').model
    student = MODELS.build(config.model)
    student.init_weights()
    assert type(student).__name__ == 'DistillSingleStageDetectorOverRetinaNet'
    assert student.teacher_session.teacher.classes == (tuple('abc') if teacher_is_a_file else None)
    losses = student(**student.data_preprocessor(raw_batch(num_classes=3), True), mode='loss')
    assert losses['loss_kd'] > 0 and losses['loss_rank'] > 0


def test_what_the_tool_asks_of_such_a_config():
    assert_nothing_lost('distilled.py')
    assert hooks_of(Config.fromfile('distilled.py'))


def test_an_override_of_a_class_that_is_no_name_is_missed_too(tmp_path):
    (tmp_path / 'own.py').write_text(SUBCLASS.format('OverridingNet'))
    text = DISTILLED.replace('.stock', '.own').replace('    student_type=RetinaNet,\n', '')
    (tmp_path / 'lost.py').write_text(text)
    with pytest.raises(TypeError, match='loses what OverridingNet overrides: loss'):
        assert_nothing_lost('lost.py')
