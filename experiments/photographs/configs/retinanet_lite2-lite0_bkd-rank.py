_base_ = [
    './_base_/retinanet.py',
    './_base_/data.py',
    './_base_/schedule.py',
    './_base_/retinanet_teacher.py',
]
model = dict(
    type='DistillSingleStageDetector',
    teacher={{_base_.teacher}},
    selector=dict(type='TopkSamples', k=100),
    distill_losses=dict(
        loss_bkd=dict(type='BinaryKDLoss', temperature=1.0, loss_weight=1.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
