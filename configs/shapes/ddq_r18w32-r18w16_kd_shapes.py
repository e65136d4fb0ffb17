_base_ = [
    '../_base_/shapes_ddq.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
    '../_base_/shapes_ddq_teacher.py',
]
model = dict(
    type='DistillQueryDetector',
    student_type={{_base_.model.type}},
    teacher={{_base_.teacher}},
    distill_losses=dict(
        loss_kd=dict(type='KDLoss', temperature=1.0, loss_weight=1.0),
    ),
)
