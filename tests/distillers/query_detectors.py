"""Small query-based detectors of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from mmengine.hub import get_config
from torch import nn

from tests.detectors import NUM_CLASSES, build, distiller_config, save_teacher, training_losses

DETR = 'detr/detr_r50_8xb2-150e_coco.py'
DEFORMABLE = 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py'
REFINED = 'deformable_detr/deformable-detr-refine_r50_16xb2-50e_coco.py'
TWO_STAGE = 'deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco.py'
CONDITIONAL = 'conditional_detr/conditional-detr_r50_8xb2-50e_coco.py'
DAB = 'dab_detr/dab-detr_r50_8xb2-50e_coco.py'
DINO = 'dino/dino-4scale_r50_8xb2-12e_coco.py'
DDQ = 'ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py'
SPARSE = 'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py'
QUERYINST = 'queryinst/queryinst_r50_fpn_1x_coco.py'
DECODERS = (DETR, DEFORMABLE, REFINED, TWO_STAGE, CONDITIONAL, DAB, DINO, DDQ)
STAGES = (SPARSE, QUERYINST)
SMALLER = {256: 32, 2048: 32, 1024: 32, 64: 8}
# Their code has the width of 256 in it.
WIDE = (CONDITIONAL, TWO_STAGE, DINO)
FEEDFORWARD = ('feedforward_channels',)
DIMS = ('embed_dims', 'channels', 'feature_channel')


def query_config(
    name: str,
    queries: int = 12,
    layers: int = 2,
    width: int = 4,
    num_classes: int = NUM_CLASSES,
) -> ConfigDict:
    """The model of a stock config, narrow, with few queries and layers, from scratch."""
    model = get_config(f'mmdet::{name}').model
    model.backbone.update(depth=18, base_channels=width, init_cfg=None, frozen_stages=-1)
    _narrow(model, FEEDFORWARD if name in WIDE else DIMS)
    channels = [width * 2**i for i in range(4)]
    model.neck.in_channels = channels[-len(model.neck.in_channels) :]
    if name in STAGES:
        return _few_proposals(model, queries, layers, num_classes)
    model.num_queries = queries
    model.encoder.num_layers, model.decoder.num_layers = 1, layers
    model.positional_encoding.num_feats = model.neck.out_channels // 2
    model.bbox_head.update(embed_dims=model.neck.out_channels, num_classes=num_classes)
    model.test_cfg.max_per_img = 10
    if 'dn_cfg' in model:
        model.dn_cfg.group_cfg.num_dn_queries = 10
    return model


def _narrow(value: Any, names: tuple[str, ...]) -> None:
    """Divide the widths with these names in a config by eight."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, (dict, list)):
            _narrow(item, names)
        elif isinstance(key, str) and key.endswith(names):
            value[key] = SMALLER.get(item, item)


def _few_proposals(model: ConfigDict, queries: int, layers: int, num_classes: int) -> ConfigDict:
    model.rpn_head.num_proposals = queries
    model.roi_head.update(num_stages=layers, stage_loss_weights=[1, 0.5][:layers])
    for part in (model.roi_head, model.train_cfg):
        for key in ('bbox_head', 'mask_head', 'rcnn'):
            if key in part:
                part[key] = part[key][:layers]
    for head in [*model.roi_head.bbox_head, *model.roi_head.get('mask_head', [])]:
        head.num_classes = num_classes
    model.test_cfg.rcnn.max_per_img = queries
    return model


def query_distiller(
    student: ConfigDict,
    teacher: ConfigDict,
    folder: Path,
    meta: dict | None = None,
    **options: Any,
) -> nn.Module:
    """Build the distiller of a student, with a teacher of random weights."""
    checkpoint = save_teacher(teacher, folder / 'teacher.pth', meta=meta)
    return build(query_distiller_config(student, teacher, checkpoint, **options))


def query_distiller_config(
    student: ConfigDict, teacher: ConfigDict, checkpoint: str, **options: Any
) -> ConfigDict:
    """The student's config turned into that of a distilling detector."""
    config = distiller_config(student, teacher, checkpoint, student_type=student.type, **options)
    config.type = 'DistillQueryDetector'
    return config


def query_losses(model: nn.Module, name: str, **batch: Any) -> dict:
    """Losses of one seeded training step."""
    return training_losses(model, masks=name == QUERYINST, **batch)
