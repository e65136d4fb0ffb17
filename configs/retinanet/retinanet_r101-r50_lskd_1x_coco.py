_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/retinanet_r101_fpn.py',
]
model = dict(
    type='DistillSingleStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        # MMDetection's KL also averages over the 80 channels: times 80 it is the textbook KL.
        loss_lskd=dict(
            type='LSKDLoss',
            loss=dict(type='KnowledgeDistillationKLDivLoss', T=2, loss_weight=80.0),
        ),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
