_base_ = [
    '../_base_/shapes_mask_rcnn.py',
    '../_base_/shapes_instance.py',
    '../_base_/shapes_schedule.py',
]
