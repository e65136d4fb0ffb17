_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/retinanet_r101_fpn.py',
    '../_base_/losses/anchor_kd-rank.py',
    '../_base_/features/single_stage_pkd.py',
]
model = dict(
    type='DistillSingleStageDetector',
    teacher={{_base_.teacher}},
    distill_losses={{_base_.distill_losses}},
    distill_features={{_base_.distill_features}},
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
