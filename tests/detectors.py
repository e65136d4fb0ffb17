"""Small detectors, their checkpoints and batches for tests."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.structures import InstanceData
from torch import nn

NUM_CLASSES = 5


def small_config(name: str, width: int = 4, num_classes: int = NUM_CLASSES) -> ConfigDict:
    """The model of a stock config with a ResNet-18 of ``width`` base channels, from scratch."""
    model = get_config(f'mmdet::{name}').model
    model.backbone.update(depth=18, base_channels=width, init_cfg=None, frozen_stages=-1)
    model.neck.update(in_channels=[width * 2**i for i in range(4)], out_channels=32)
    if 'rpn_head' in model:
        model.rpn_head.update(in_channels=32, feat_channels=32)
        model.train_cfg.rpn_proposal.max_per_img = 40
        stages = model.train_cfg.rcnn
        for stage in stages if isinstance(stages, list) else [stages]:
            stage.sampler.num = 24
        model.roi_head.bbox_roi_extractor.out_channels = 32
        heads = model.roi_head.bbox_head
        for head in heads if isinstance(heads, list) else [heads]:
            head.update(in_channels=32, fc_out_channels=32, num_classes=num_classes)
        if 'mask_head' in model.roi_head:
            model.roi_head.mask_roi_extractor.out_channels = 32
            model.roi_head.mask_head.update(
                num_convs=1, in_channels=32, conv_out_channels=8, num_classes=num_classes
            )
    else:
        model.bbox_head.update(
            in_channels=32, feat_channels=32, stacked_convs=1, num_classes=num_classes
        )
    return model


FASTER = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
CASCADE = 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py'
MASK = 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
CASCADE_MASK = 'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py'
RETINA = 'retinanet/retinanet_r50_fpn_1x_coco.py'
FCOS = 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'
ATSS = 'atss/atss_r50_fpn_1x_coco.py'
GFL = 'gfl/gfl_r50_fpn_1x_coco.py'

DOUBLE_HEAD = dict(
    type='DoubleConvFCBBoxHead',
    num_convs=1,
    num_fcs=1,
    in_channels=16,
    conv_out_channels=32,
    fc_out_channels=16,
    roi_feat_size=7,
    num_classes=5,
    reg_class_agnostic=True,
)

KD = dict(type='KnowledgeDistillationKLDivLoss', T=1)
RANK = dict(type='KendallRankLoss')


def build(config: dict, seed: int = 0) -> nn.Module:
    """Build a detector with seeded weights."""
    torch.manual_seed(seed)
    model = MODELS.build(config)
    model.init_weights()
    return model


def save_teacher(config: dict, path: Path, seed: int = 1, meta: dict | None = None) -> str:
    """Write a checkpoint of a freshly seeded teacher, with biases that make its logits differ."""
    # A copy, because DETR and others write into their config.
    model = build(copy.deepcopy(config), seed)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if 'cls' in name and 'rpn' not in name:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data.add_(noise * (1.0 if name.endswith('bias') else 0.1))
    torch.save(dict(state_dict=model.state_dict(), meta=meta or {}), path)
    return str(path)


def distiller_config(student: dict, teacher: dict, checkpoint: str, **options: Any) -> ConfigDict:
    """The student's config turned into that of a distilling detector."""
    two_stage = 'roi_head' in student
    options.setdefault('distill_losses', dict(loss_kd=KD, loss_rank=RANK))
    config = ConfigDict(
        student,
        type='DistillTwoStageDetector' if two_stage else 'DistillSingleStageDetector',
        teacher=dict(config=teacher, checkpoint=checkpoint),
        **options,
    )
    return config


def raw_batch(
    shapes: tuple[tuple[int, int], ...] = ((64, 64), (48, 64)),
    boxes: int = 3,
    num_classes: int = NUM_CLASSES,
    seed: int = 0,
    masks: bool = False,
) -> dict:
    """Images as a data loader gives them: uint8 pictures and annotated samples.

    With ``masks``, an object fills the upper half of its box.
    """
    rng = np.random.default_rng(seed)
    inputs, samples = [], []
    for height, width in shapes:
        inputs.append(torch.from_numpy(rng.integers(0, 256, (3, height, width), dtype=np.uint8)))
        corner = rng.uniform(0, 0.5, (boxes, 2)) * (width, height)
        size = rng.uniform(0.2, 0.5, (boxes, 2)) * (width, height)
        instances = InstanceData(
            bboxes=torch.tensor(np.hstack([corner, corner + size]), dtype=torch.float32),
            labels=torch.from_numpy(rng.integers(0, num_classes, boxes)),
        )
        if masks:
            upper = np.zeros((boxes, height, width), dtype=np.uint8)
            for mask, (left, top, right, bottom) in zip(
                upper, instances.bboxes.int().tolist(), strict=True
            ):
                mask[top : (top + bottom) // 2 + 1, left : right + 1] = 1
            instances.masks = BitmapMasks(upper, height, width)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0)
            )
        )
        sample.gt_instances = instances
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def training_losses(model: nn.Module, seed: int = 0, **batch: Any) -> dict:
    """Losses of one seeded training step, as the runner gets them."""
    data = model.data_preprocessor(raw_batch(seed=seed, **batch), training=True)
    torch.manual_seed(seed)
    return model(**data, mode='loss')
