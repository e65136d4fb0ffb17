# MMDetection's own config and schedule.
_base_ = [
    'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
    '../_base_/teachers/dino-5scale_swin-l.py',
]
custom_imports = dict(imports=['mmdet_kdrank'])
# Evaluates the teacher before training, as teacher.verify says.
custom_hooks = [dict(type='VerifyTeacherHook')]
model = dict(
    type='DistillQueryDetector',
    student_type={{_base_.model.type}},
    teacher={{_base_.teacher}},
    distill_losses=dict(
        loss_kd=dict(type='KDLoss', temperature=1.0, loss_weight=1.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
