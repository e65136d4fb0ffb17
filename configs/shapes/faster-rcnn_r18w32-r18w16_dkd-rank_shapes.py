_base_ = [
    '../_base_/shapes_faster_rcnn_narrow.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
    '../_base_/shapes_teacher.py',
    '../_base_/losses/shapes_dkd-rank.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses={{_base_.distill_losses}},
)
