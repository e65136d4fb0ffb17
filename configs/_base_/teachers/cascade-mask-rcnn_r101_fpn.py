# COCO val2017 mAP 43.4 (boxes), 37.8 (masks), as published.
teacher = dict(
    config='mmdet::cascade_rcnn/cascade-mask-rcnn_r101_fpn_20e_coco.py',
    checkpoint=(
        'https://download.openmmlab.com/mmdetection/v2.0/cascade_rcnn/'
        'cascade_mask_rcnn_r101_fpn_20e_coco/cascade_mask_rcnn_r101_fpn_20e_coco_'
        'bbox_mAP-0.434__segm_mAP-0.378_20200504_174836-005947da.pth'
    ),
    verify=dict(num_images=100, min_map=0.2),
)
