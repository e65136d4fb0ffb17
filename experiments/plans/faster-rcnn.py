# Does it help? On pictures that no setting was chosen on.
_base_ = './_base_/common.py'
_student = 'configs/shapes/faster-rcnn_r18w32-r18w16_{}_shapes.py'
_kinds = ['kd', 'kd-rank', 'rank', 'dkd', 'dkd-rank', 'kd-crank', 'kd-rank-crank']
# The best in tuning, for KD as for KD and rank.
_positive = {'model.selector': dict(type='PositiveSamples')}
_cosine = {'model.distill_losses.loss_rank.form': 'cosine'}
_all = {'model.selector': dict(type='AllSamples')}
teacher = dict(config='configs/shapes/faster-rcnn_r18w32_shapes.py')
variants = {
    'alone': dict(config='configs/shapes/faster-rcnn_r18w16_shapes.py'),
    **{kind: dict(config=_student.format(kind), options=_positive) for kind in _kinds},
    'kd-rank-cosine': dict(config=_student.format('kd-rank'), options=dict(_positive, **_cosine)),
    **{
        f'{kind}-all': dict(config=_student.format(kind), options=_all)
        for kind in ('kd', 'kd-rank')
    },
}
pairs = [
    ('rank', 'alone'),
    ('dkd-rank', 'dkd'),
    ('kd-rank-crank', 'kd-rank'),
    ('kd-rank-cosine', 'kd-rank'),
    ('kd-rank-all', 'kd-all'),
    ('kd-rank-all', 'kd-rank'),
    ('kd-all', 'alone'),
]
