_base_ = [
    '../_base_/shapes_faster_rcnn.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
]
