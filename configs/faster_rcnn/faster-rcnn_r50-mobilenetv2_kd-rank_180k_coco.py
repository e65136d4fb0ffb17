_base_ = [
    '../_base_/models/faster-rcnn_mobilenetv2_fpn.py',
    '../_base_/coco_180k.py',
    '../_base_/teachers/faster-rcnn_r50_fpn.py',
    '../_base_/losses/roi_kd-rank.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses={{_base_.distill_losses}},
)
