_base_ = [
    '../_base_/models/faster-rcnn_mobilenetv2_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/faster-rcnn_r50_fpn.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        loss_kd=dict(type='KDLoss', temperature=1.0, loss_weight=1.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
