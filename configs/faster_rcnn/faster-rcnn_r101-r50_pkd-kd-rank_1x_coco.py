_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/faster-rcnn_r101_fpn.py',
    '../_base_/losses/roi_kd-rank.py',
    '../_base_/features/two_stage_pkd.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses={{_base_.distill_losses}},
    distill_features={{_base_.distill_features}},
)
