# The teacher: a larger backbone, twice the width behind it, and a longer training.
_base_ = ['./_base_/retinanet.py', './_base_/data.py', './_base_/teacher_schedule.py']
model = dict(
    backbone=dict(arch='lite2'),
    neck=dict(in_channels=[48, 120, 352], out_channels=128),
    bbox_head=dict(in_channels=128, feat_channels=128),
)
