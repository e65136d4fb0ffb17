_base_ = [
    '../_base_/shapes_retinanet_narrow.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
]
