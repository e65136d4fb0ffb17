# COCO val2017 mAP 38.4, as published.
teacher = dict(
    config='mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py',
    checkpoint=(
        'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r50_fpn_2x_coco/'
        'faster_rcnn_r50_fpn_2x_coco_bbox_mAP-0.384_20200504_210434-a5d8aa15.pth'
    ),
    verify=dict(num_images=100, min_map=0.2),
)
