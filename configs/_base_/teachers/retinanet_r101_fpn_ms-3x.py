# COCO val2017 mAP 41.0, as published: three times the 1x schedule, multi-scale.
teacher = dict(
    config='mmdet::retinanet/retinanet_r101_fpn_ms-640-800-3x_coco.py',
    checkpoint=(
        'https://download.openmmlab.com/mmdetection/v2.0/retinanet/'
        'retinanet_r101_fpn_mstrain_3x_coco/'
        'retinanet_r101_fpn_mstrain_3x_coco_20210720_214650-7ee888e0.pth'
    ),
    verify=dict(num_images=100, min_map=0.2),
)
