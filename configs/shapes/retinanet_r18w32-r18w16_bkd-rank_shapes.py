_base_ = [
    '../_base_/shapes_retinanet_narrow.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
    '../_base_/shapes_retinanet_teacher.py',
    '../_base_/losses/shapes_anchor_bkd-rank.py',
]
model = dict(
    type='DistillSingleStageDetector',
    teacher={{_base_.teacher}},
    selector={{_base_.selector}},
    distill_losses={{_base_.distill_losses}},
)
