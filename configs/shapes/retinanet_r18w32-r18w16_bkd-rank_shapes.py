_base_ = [
    '../_base_/shapes_retinanet.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
    '../_base_/shapes_retinanet_teacher.py',
]
model = dict(
    type='DistillSingleStageDetector',
    teacher={{_base_.teacher}},
    # 1,000 anchors, as on COCO, would be half of the 2,016 that there are.
    selector=dict(type='TopkSamples', k=100),
    distill_losses=dict(
        loss_bkd=dict(type='BinaryKDLoss', temperature=1.0, loss_weight=1.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
