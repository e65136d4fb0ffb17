_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/retinanet_r101_fpn.py',
    '../_base_/losses/anchor_kd-crank.py',
]
model = dict(
    type='DistillSingleStageDetector',
    teacher={{_base_.teacher}},
    distill_losses={{_base_.distill_losses}},
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
