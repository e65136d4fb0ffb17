_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/faster-rcnn_r101_fpn.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        # The values of the authors' published code for Faster R-CNN on COCO.
        loss_dkd=dict(type='DKDLoss', alpha=1.0, beta=0.25, temperature=1.0),
    ),
)
