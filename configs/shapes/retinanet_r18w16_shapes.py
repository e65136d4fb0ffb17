_base_ = [
    '../_base_/shapes_retinanet.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
]
