_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/coco_instance_1x.py',
    '../_base_/teachers/mask-rcnn_r101_fpn.py',
    '../_base_/losses/roi_kd-rank.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses={{_base_.distill_losses}},
)
