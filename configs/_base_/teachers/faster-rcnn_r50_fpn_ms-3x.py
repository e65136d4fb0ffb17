# COCO val2017 mAP 40.3, as published: three times the 1x schedule, multi-scale.
teacher = dict(
    config='mmdet::faster_rcnn/faster-rcnn_r50_fpn_ms-3x_coco.py',
    checkpoint=(
        'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/'
        'faster_rcnn_r50_fpn_mstrain_3x_coco/'
        'faster_rcnn_r50_fpn_mstrain_3x_coco_20210524_110822-e10bd31c.pth'
    ),
    verify=dict(num_images=100, min_map=0.2),
)
