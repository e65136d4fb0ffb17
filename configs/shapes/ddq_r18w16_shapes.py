_base_ = [
    '../_base_/shapes_ddq.py',
    '../_base_/shapes_data.py',
    '../_base_/shapes_schedule.py',
]
