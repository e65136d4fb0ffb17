"""Small detectors whose heads classify cells without priors: CenterNet, CornerNet, SOLO."""

from __future__ import annotations

from mmengine.config import ConfigDict
from mmengine.hub import get_config

from tests.detectors import NUM_CLASSES

CENTERNET = 'centernet/centernet_r18_8xb16-crop512-140e_coco.py'
CORNERNET = 'cornernet/cornernet_hourglass104_10xb5-crop511-210e-mstest_coco.py'
CENTRIPETAL = 'centripetalnet/centripetalnet_hourglass104_16xb6-crop511-210e-mstest_coco.py'
SOLO = 'solo/solo_r50_fpn_1x_coco.py'
DECOUPLED = 'solo/decoupled-solo_r50_fpn_1x_coco.py'
SOLOV2 = 'solov2/solov2_r50_fpn_1x_coco.py'
BOXES = (CENTERNET, CORNERNET, CENTRIPETAL)
MASKS = (SOLO, DECOUPLED, SOLOV2)
GRIDS = [8, 6, 4, 3, 2]


def cell_config(name: str, width: int = 4) -> ConfigDict:
    """The model of a stock config, narrow and from scratch."""
    model = get_config(f'mmdet::{name}').model
    if name in (CORNERNET, CENTRIPETAL):
        model.backbone.update(
            downsample_times=1,
            stage_channels=(width * 2, width * 2),
            stage_blocks=(1, 1),
            feat_channel=width * 2,
            init_cfg=None,
        )
        model.bbox_head.update(in_channels=width * 2, num_classes=NUM_CLASSES)
        return model
    model.backbone.update(depth=18, base_channels=width, init_cfg=None, frozen_stages=-1)
    if name == CENTERNET:
        model.neck.update(in_channels=width * 8, num_deconv_filters=(8, 8, 8))
        model.bbox_head.update(in_channels=8, feat_channels=8, num_classes=NUM_CLASSES)
        return model
    model.neck.update(in_channels=[width * 2**i for i in range(4)], out_channels=32)
    model.mask_head.update(
        in_channels=32,
        feat_channels=32,
        stacked_convs=1,
        cls_down_index=0,
        num_grids=GRIDS,
        num_classes=NUM_CLASSES,
    )
    if name == SOLOV2:
        model.mask_head.pop('cls_down_index')
        model.mask_head.mask_feature_head.update(feat_channels=32, out_channels=32)
    return model
