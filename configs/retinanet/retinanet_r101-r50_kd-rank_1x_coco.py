_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/retinanet_r101_fpn.py',
]
model = dict(
    type='DistillSingleStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        loss_kd=dict(type='KDLoss', temperature=1.0, loss_weight=1.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
