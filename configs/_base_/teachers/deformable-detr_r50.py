# COCO val2017 mAP 44.3, as published.
teacher = dict(
    config='mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    checkpoint=(
        'https://download.openmmlab.com/mmdetection/v3.0/deformable_detr/deformable-detr_r50_16xb2-50e_coco/'
        'deformable-detr_r50_16xb2-50e_coco_20221029_210934-6bc7d21b.pth'
    ),
    verify=dict(num_images=100, min_map=0.2),
)
