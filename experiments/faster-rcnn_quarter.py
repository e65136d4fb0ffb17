# With a quarter of the training pictures; the teacher had all of them.
_base_ = './_base_/length.py'
_student = 'configs/shapes/faster-rcnn_r18w32-r18w16_{}_shapes.py'
shapes = dict(seed=2, num_val=500)
seeds = 3
baseline = 'kd'
options = {'train_dataloader.dataset.indices': 250}
teacher = dict(config='configs/shapes/faster-rcnn_r18w32_shapes.py')
variants = {
    'alone': dict(config='configs/shapes/faster-rcnn_r18w16_shapes.py'),
    **{kind: dict(config=_student.format(kind)) for kind in ('kd', 'kd-rank')},
}
