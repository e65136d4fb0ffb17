_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn.py',
    '../_base_/coco_180k.py',
    '../_base_/teachers/faster-rcnn_r101_fpn.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        loss_kd=dict(type='KDLoss', temperature=1.0, loss_weight=1.0),
    ),
)
