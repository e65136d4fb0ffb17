_base_ = [
    './_base_/faster_rcnn.py',
    './_base_/data.py',
    './_base_/schedule.py',
    './_base_/faster_rcnn_teacher.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    selector=dict(type='AllSamples'),
    distill_losses=dict(
        # MMDetection's KL also averages over the 26 channels: times 26 it is the textbook KL.
        loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1, loss_weight=26.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
