"""Dense heads of MMDetection's stock configs, on random features."""

from __future__ import annotations

from functools import cache

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from torch import Tensor, nn

from tests.detectors import raw_batch

HEADS = {
    'RetinaHead': 'retinanet/retinanet_r50_fpn_1x_coco.py',
    'FreeAnchorRetinaHead': 'free_anchor/freeanchor_r50_fpn_1x_coco.py',
    'PISARetinaHead': 'pisa/retinanet-r50_fpn_pisa_1x_coco.py',
    'FSAFHead': 'fsaf/fsaf_r50_fpn_1x_coco.py',
    'GARetinaHead': 'guided_anchoring/ga-retinanet_r50_fpn_1x_coco.py',
    'SABLRetinaHead': 'sabl/sabl-retinanet_r50_fpn_1x_coco.py',
    'RetinaSepBNHead': 'nas_fpn/retinanet_r50_fpn_crop640-50e_coco.py',
    'ATSSHead': 'atss/atss_r50_fpn_1x_coco.py',
    'PAAHead': 'paa/paa_r50_fpn_1x_coco.py',
    'GFLHead': 'gfl/gfl_r50_fpn_1x_coco.py',
    'DDODHead': 'ddod/ddod_r50_fpn_1x_coco.py',
    'TOODHead': 'tood/tood_r50_fpn_1x_coco.py',
    'FCOSHead': 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    'VFNetHead': 'vfnet/vfnet_r50_fpn_1x_coco.py',
    'AutoAssignHead': 'autoassign/autoassign_r50-caffe_fpn_1x_coco.py',
    'FoveaHead': 'foveabox/fovea_r50_fpn_4xb4-1x_coco.py',
    'RepPointsHead': 'reppoints/reppoints-moment_r50_fpn_1x_coco.py',
    'YOLOFHead': 'yolof/yolof_r50-c5_8xb8-1x_coco.py',
    'RTMDetSepBNHead': 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'YOLOXHead': 'yolox/yolox_tiny_8xb8-300e_coco.py',
    'YOLOV3Head': 'yolo/yolov3_d53_8xb8-320-273e_coco.py',
    'SSDHead': 'ssd/ssd300_coco.py',
    'PISASSDHead': 'pisa/ssd300_pisa_coco.py',
    'CondInstBboxHead': 'condinst/condinst_r50_fpn_ms-poly-90k_coco_instance.py',
    'CenterNetUpdateHead': 'centernet/centernet-update_r50_fpn_8xb8-amp-lsj-200e_coco.py',
}
CLASSES = 5


def size_of(name: str) -> int:
    """Pixels along a side of the images; deformable convolutions refuse tiny maps."""
    return 320 if name == 'DDODHead' else 64


@cache
def _stock(head: str) -> ConfigDict:
    return get_config(f'mmdet::{HEADS[head]}').model


def stock_head(name: str) -> nn.Module:
    """The head of a stock config with :data:`CLASSES` classes, in training."""
    torch.manual_seed(0)
    model = _stock(name)
    config = ConfigDict(model.bbox_head, num_classes=CLASSES)
    configs = {name: model.get(name) for name in ('train_cfg', 'test_cfg')}
    head = MODELS.build({**config, **configs})
    assert type(head).__name__ == name
    with torch.no_grad():
        # Fresh heads give nearly equal logits everywhere.
        for key, parameter in head.named_parameters():
            if 'cls' in key:
                parameter.add_(torch.randn_like(parameter) * 0.02)
    return head.train()


def features(head: nn.Module) -> tuple[Tensor, ...]:
    """Levels of two images for a head."""
    generator = getattr(head, 'prior_generator', getattr(head, 'square_anchor_generator', None))
    channels, size = head.in_channels, size_of(type(head).__name__)
    torch.manual_seed(1)
    return tuple(
        torch.randn(2, channels[level] if isinstance(channels, (list, tuple)) else channels, n, n)
        for level, stride in enumerate(generator.strides)
        for n in [-(-size // (stride[0] if isinstance(stride, tuple) else stride))]
    )


def samples(head: nn.Module) -> list[DetDataSample]:
    """Annotations of two images for a head."""
    shape = (size_of(type(head).__name__),) * 2
    both = raw_batch((shape, shape), num_classes=CLASSES)['data_samples']
    for sample in both:
        sample.set_metainfo(dict(pad_shape=shape, batch_input_shape=shape))
    return both
