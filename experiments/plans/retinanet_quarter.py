_base_ = './_base_/quarter.py'
_student = 'configs/shapes/retinanet_r18w32-r18w16_{}_shapes.py'
teacher = dict(config='configs/shapes/retinanet_r18w32_shapes.py')
variants = {
    'alone': dict(config='configs/shapes/retinanet_r18w16_shapes.py'),
    **{kind: dict(config=_student.format(kind)) for kind in ('kd', 'kd-rank')},
}
