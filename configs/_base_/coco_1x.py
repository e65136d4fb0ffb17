# MMDetection's own 1x schedule: 12 epochs, 8 GPUs x 2 images, lr 0.02.
_base_ = [
    'mmdet::_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmdet_kdrank'])
# Evaluates the teacher before training, as teacher.verify says.
custom_hooks = [dict(type='VerifyTeacherHook')]
