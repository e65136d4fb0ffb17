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
        # MMDetection's KL also averages over the 28 channels: times 28 it is the textbook KL.
        loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1, loss_weight=28.0),
        loss_crank=dict(type='CandidateRankLoss', loss_weight=1.0),
    ),
)
