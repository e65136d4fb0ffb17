# With a teacher that trained for a quarter of the time.
_base_ = './_base_/length.py'
_student = 'configs/shapes/retinanet_r18w32-r18w16_{}_shapes.py'
_length = 650
shapes = dict(seed=2, num_val=500)
seeds = 3
baseline = 'kd'
teacher = dict(
    config='configs/shapes/retinanet_r18w32_shapes.py',
    options={
        'train_cfg.max_iters': _length,
        'train_cfg.val_interval': _length,
        'param_scheduler.1.end': _length,
        'param_scheduler.1.T_max': _length,
    },
)
variants = {kind: dict(config=_student.format(kind)) for kind in ('kd', 'kd-rank')}
