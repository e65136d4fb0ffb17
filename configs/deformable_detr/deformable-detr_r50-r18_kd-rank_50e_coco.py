# MMDetection's own config and schedule.
_base_ = [
    'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    '../_base_/teachers/deformable-detr_r50.py',
]
custom_imports = dict(imports=['mmdet_kdrank'])
# Evaluates the teacher before training, as teacher.verify says.
custom_hooks = [dict(type='VerifyTeacherHook')]
model = dict(
    type='DistillQueryDetector',
    student_type={{_base_.model.type}},
    teacher={{_base_.teacher}},
    backbone=dict(depth=18, init_cfg=dict(checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[128, 256, 512]),
    distill_losses=dict(
        loss_kd=dict(type='KDLoss', temperature=1.0, loss_weight=1.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
