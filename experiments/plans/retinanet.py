# Does it help? On pictures that no setting was chosen on. BKD stands for DKD, which needs softmax.
_base_ = './_base_/common.py'
_student = 'configs/shapes/retinanet_r18w32-r18w16_{}_shapes.py'
_kinds = ['kd', 'kd-rank', 'rank', 'bkd', 'bkd-rank', 'kd-crank', 'kd-rank-crank']
_cosine = {'model.distill_losses.loss_rank.form': 'cosine'}
teacher = dict(config='configs/shapes/retinanet_r18w32_shapes.py')
variants = {
    'alone': dict(config='configs/shapes/retinanet_r18w16_shapes.py'),
    **{kind: dict(config=_student.format(kind)) for kind in _kinds},
    'kd-rank-cosine': dict(config=_student.format('kd-rank'), options=_cosine),
}
pairs = [
    ('rank', 'alone'),
    ('bkd-rank', 'bkd'),
    ('kd-rank-crank', 'kd-rank'),
    ('kd-rank-cosine', 'kd-rank'),
]
