_base_ = [
    '../_base_/shapes_faster_rcnn.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
    '../_base_/shapes_teacher.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
