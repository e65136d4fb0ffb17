# The teacher: a backbone of twice the student's width, and twice as many queries.
_base_ = [
    '../_base_/shapes_ddq.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
]
model = dict(
    num_queries=60,
    backbone=dict(base_channels=32),
    neck=dict(in_channels=[64, 128, 256]),
)
