_base_ = './_base_/quarter.py'
_student = 'configs/shapes/faster-rcnn_r18w32-r18w16_{}_shapes.py'
_positive = {'model.selector': dict(type='PositiveSamples')}
teacher = dict(config='configs/shapes/faster-rcnn_r18w32_shapes.py')
variants = {
    'alone': dict(config='configs/shapes/faster-rcnn_r18w16_shapes.py'),
    **{kind: dict(config=_student.format(kind), options=_positive) for kind in ('kd', 'kd-rank')},
}
