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
        # The values of the authors' published code for Faster R-CNN on COCO.
        loss_dkd=dict(type='DKDLoss', alpha=1.0, beta=0.25, temperature=1.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
