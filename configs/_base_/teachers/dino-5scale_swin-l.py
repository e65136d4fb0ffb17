# COCO val2017 mAP 57.2, as published.
teacher = dict(
    config='mmdet::dino/dino-5scale_swin-l_8xb2-12e_coco.py',
    checkpoint=(
        'https://download.openmmlab.com/mmdetection/v3.0/dino/dino-5scale_swin-l_8xb2-12e_coco/'
        'dino-5scale_swin-l_8xb2-12e_coco_20230228_072924-a654145f.pth'
    ),
    verify=dict(num_images=100, min_map=0.2),
)
