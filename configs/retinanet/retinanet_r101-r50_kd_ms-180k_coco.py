_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/coco_180k.py',
    '../_base_/multi_scale.py',
    '../_base_/teachers/retinanet_r101_fpn_ms-3x.py',
]
model = dict(
    type='DistillSingleStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        loss_kd=dict(type='KDLoss', temperature=1.0, loss_weight=1.0),
    ),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.multi_scale_pipeline}}))
optim_wrapper = dict(optimizer=dict(lr=0.005))
