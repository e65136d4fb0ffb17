# The teacher: twice the student's width everywhere.
_base_ = [
    '../_base_/shapes_retinanet.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
]
model = dict(
    backbone=dict(base_channels=32),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64),
    bbox_head=dict(in_channels=64, feat_channels=64),
)
