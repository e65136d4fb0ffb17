"""Teacher and student of other backbones, other box heads, and other dense heads."""

import pytest
import torch
from mmdet.registry import MODELS

from tests.detectors import (
    ATSS,
    DOUBLE_HEAD,
    FASTER,
    GFL,
    RETINA,
    small_config,
)
from tests.distillers.pairs import distilled

BACKBONES = {
    'swin': dict(
        type='SwinTransformer',
        embed_dims=8,
        depths=(1, 1, 2, 1),
        num_heads=(1, 1, 2, 2),
        window_size=4,
        drop_path_rate=0.0,
    ),
    'pvt': dict(
        type='PyramidVisionTransformer',
        embed_dims=8,
        num_layers=[1, 1, 1, 1],
        num_heads=[1, 2, 4, 8],
    ),
    'convnext': dict(
        type='mmpretrain.ConvNeXt',
        arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 32, 64]),
        out_indices=[0, 1, 2, 3],
        gap_before_final_norm=False,
    ),
}
FREE_ANCHOR = 'free_anchor/freeanchor_r50_fpn_1x_coco.py'
PISA = 'pisa/retinanet-r50_fpn_pisa_1x_coco.py'
FSAF = 'fsaf/fsaf_r50_fpn_1x_coco.py'
PAA = 'paa/paa_r50_fpn_1x_coco.py'
VFNET = 'vfnet/vfnet_r50_fpn_1x_coco.py'
DDOD = 'ddod/ddod_r50_fpn_1x_coco.py'
TOOD = 'tood/tood_r50_fpn_1x_coco.py'


def with_backbone(name, backbone):
    """A small stock detector with another backbone; 'resnet' is its own."""
    config = small_config(name)
    if backbone != 'resnet':
        config.backbone = dict(BACKBONES[backbone])
        config.neck.in_channels = [8, 16, 32, 64]
    return config


def assert_learns(step):
    """The teacher answers as it does alone, and each loss reaches the student, not the teacher."""
    torch.testing.assert_close(step.samples.teacher, step.teacher, rtol=1e-4, atol=1e-5)
    for name in step.model.distill_losses:
        step.model.zero_grad()
        step.losses[name].backward(retain_graph=True)
        reached = [weight.grad for weight in step.model.backbone.parameters()]
        assert any(gradient is not None and gradient.any() for gradient in reached), name
    assert all(weight.grad is None for weight in step.model.teacher_session.model.parameters())
    assert -1 <= step.losses['distill_tau'] <= 1


@pytest.mark.parametrize('backbone', BACKBONES)
@pytest.mark.parametrize('teaches', [True, False], ids=['teacher', 'student'])
@pytest.mark.parametrize('name', [FASTER, RETINA], ids=['faster', 'retina'])
def test_a_backbone_of_another_kind(tmp_path, name, backbone, teaches):
    if backbone == 'convnext':
        pytest.importorskip('mmpretrain.models', reason='ConvNeXt is in mmpretrain')
    other, resnet = with_backbone(name, backbone), with_backbone(name, 'resnet')
    student, teacher = (resnet, other) if teaches else (other, resnet)
    step = distilled(student, teacher, tmp_path)
    assert_learns(step)
    stock = MODELS.build(student).state_dict()
    assert {key: value.shape for key, value in step.model.state_dict().items()} == {
        key: value.shape for key, value in stock.items()
    }


def smaller_rois(config):
    config.roi_head.bbox_roi_extractor.roi_layer.output_size = 5
    config.roi_head.bbox_head.roi_feat_size = 5


def fewer_channels(config):
    config.neck.out_channels = config.rpn_head.in_channels = 16
    config.roi_head.bbox_roi_extractor.out_channels = 16
    config.roi_head.bbox_head.update(in_channels=16, fc_out_channels=24)


def class_agnostic_boxes(config):
    config.roi_head.bbox_head.reg_class_agnostic = True


def convolutions_before_fc(config):
    config.roi_head.bbox_head.update(type='Shared4Conv1FCBBoxHead', conv_out_channels=16)


def double_head(config):
    fewer_channels(config)
    config.roi_head.update(type='DoubleHeadRoIHead', reg_roi_scale_factor=1.3)
    config.roi_head.bbox_head = DOUBLE_HEAD


def sabl(config):
    config.roi_head.bbox_head = dict(
        type='SABLHead',
        num_classes=5,
        cls_in_channels=32,
        reg_in_channels=32,
        roi_feat_size=7,
        reg_feat_up_ratio=2,
        reg_pre_kernel=3,
        reg_post_kernel=3,
        reg_pre_num=1,
        reg_post_num=1,
        cls_out_channels=32,
        reg_offset_out_channels=32,
        reg_cls_out_channels=32,
        num_cls_fcs=1,
        num_reg_fcs=0,
        reg_class_agnostic=True,
        bbox_coder=dict(type='BucketingBBoxCoder', num_buckets=14, scale_factor=1.7),
    )


@pytest.mark.parametrize(
    'change',
    [
        smaller_rois,
        fewer_channels,
        class_agnostic_boxes,
        convolutions_before_fc,
        double_head,
        sabl,
    ],
)
def test_a_two_stage_teacher_with_another_box_head(tmp_path, change):
    teacher = small_config(FASTER, width=8)
    change(teacher)
    step = distilled(small_config(FASTER), teacher, tmp_path)
    assert len(step.samples) == 48
    assert_learns(step)


@pytest.mark.parametrize(
    ('student', 'teacher'),
    [
        (RETINA, FREE_ANCHOR),
        (FREE_ANCHOR, RETINA),
        (RETINA, PISA),
        (PISA, FREE_ANCHOR),
        (ATSS, GFL),
        (ATSS, PAA),
        (ATSS, DDOD),
        (ATSS, TOOD),
        (GFL, ATSS),
        (PAA, ATSS),
    ],
    ids=lambda name: name.split('/')[0],
)
def test_dense_heads_that_share_their_priors(tmp_path, student, teacher):
    # DDOD's deformable convolutions refuse levels of fewer than three cells.
    shapes = ((320, 320), (256, 320)) if DDOD in (student, teacher) else ((64, 64), (48, 64))
    step = distilled(
        small_config(student), small_config(teacher, width=8), tmp_path, batch=dict(shapes=shapes)
    )
    assert_learns(step)


@pytest.mark.parametrize(
    ('student', 'teacher'),
    [(RETINA, FSAF), (RETINA, ATSS), (FSAF, ATSS), (ATSS, VFNET)],
    ids=lambda name: name.split('/')[0],
)
def test_dense_heads_with_other_priors_are_refused(tmp_path, student, teacher):
    with pytest.raises(ValueError, match='different priors on level 0'):
        distilled(small_config(student), small_config(teacher), tmp_path)


@pytest.mark.parametrize(
    ('student', 'teacher'), [(ATSS, VFNET), (VFNET, GFL)], ids=lambda name: name.split('/')[0]
)
def test_a_head_of_points_and_one_of_single_anchors_share_their_cells(tmp_path, student, teacher):
    """VFNet counts its priors as points, one a cell, as ATSS has one anchor a cell."""
    step = distilled(small_config(student), small_config(teacher, width=8), tmp_path, priors='cell')
    assert_learns(step)
