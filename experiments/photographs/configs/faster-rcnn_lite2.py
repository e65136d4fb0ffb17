# The teacher: a larger backbone, twice the width behind it, and a longer training.
_base_ = ['./_base_/faster_rcnn.py', './_base_/data.py', './_base_/teacher_schedule.py']
model = dict(
    backbone=dict(arch='lite2'),
    neck=dict(in_channels=[48, 120, 352], out_channels=128),
    rpn_head=dict(in_channels=128, feat_channels=128),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=128),
        bbox_head=dict(in_channels=128, fc_out_channels=512),
    ),
)
