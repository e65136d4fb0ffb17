_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/faster-rcnn_r101_fpn.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        # MMDetection's KL also averages over the 81 channels: times 81 it is the textbook KL.
        loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1, loss_weight=81.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
