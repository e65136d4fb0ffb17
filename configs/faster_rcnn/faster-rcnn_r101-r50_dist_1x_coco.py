_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/coco_1x.py',
    '../_base_/teachers/faster-rcnn_r101_fpn.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    distill_losses=dict(
        # Untuned weights.
        loss_dist=dict(type='DISTLoss', beta=1.0, gamma=1.0, temperature=1.0),
    ),
)
