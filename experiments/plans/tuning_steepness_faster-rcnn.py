_base_ = './_base_/steepness.py'
_student = 'configs/shapes/faster-rcnn_r18w32-r18w16_kd{}_shapes.py'
_all = {'model.selector': dict(type='AllSamples')}


def _rank(**options):
    options = {f'model.distill_losses.loss_rank.{key}': value for key, value in options.items()}
    return dict(config=_student.format('-rank'), options=dict(_all, **options))


teacher = dict(config='configs/shapes/faster-rcnn_r18w32_shapes.py')
variants = {
    'kd': dict(config=_student.format(''), options=_all),
    **{f'kd-rank-k{k}': _rank(steepness=float(k)) for k in (1, 100, 10, 30, 3)},
    **{f'kd-rank-cosine-k{k}': _rank(steepness=float(k), form='cosine') for k in (1, 10, 100)},
}
pairs = [
    *((f'kd-rank-k{k}', 'kd-rank-k1') for k in (3, 10, 30, 100)),
    *((f'kd-rank-cosine-k{k}', f'kd-rank-k{k}') for k in (1, 10, 100)),
]
