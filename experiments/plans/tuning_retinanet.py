_base_ = './_base_/tuning.py'
_student = 'configs/shapes/retinanet_r18w32-r18w16_{}_shapes.py'
_loss = 'model.distill_losses.loss_{}.{}'


def _with(kind, **options):
    """Options of the losses as ``rank__loss_weight=3``, others as the model's."""
    settings = {}
    for key, value in options.items():
        loss, _, option = key.rpartition('__')
        settings[_loss.format(loss, option) if loss else f'model.{key}'] = value
    return dict(config=_student.format(kind), options=settings)


_positive = dict(_delete_=True, type='PositiveSamples')
teacher = dict(config='configs/shapes/retinanet_r18w32_shapes.py')
variants = {
    'alone': dict(config='configs/shapes/retinanet_r18w16_shapes.py'),
    'kd': _with('kd'),
    'kd-w0.3': _with('kd', kd__loss_weight=0.3 * 27),
    'kd-w3': _with('kd', kd__loss_weight=3 * 27.0),
    'bkd': _with('bkd'),
    'bkd-w3': _with('bkd', bkd__loss_weight=3.0),
    'rank': _with('rank'),
    'kd-rank': _with('kd-rank'),
    'kd-rank-w0.3': _with('kd-rank', rank__loss_weight=0.3),
    'kd-rank-w3': _with('kd-rank', rank__loss_weight=3.0),
    'bkd-rank': _with('bkd-rank'),
    'bkd-rank-w3': _with('bkd-rank', rank__loss_weight=3.0),
    'kd-crank': _with('kd-crank'),
    'kd-rank-cosine': _with('kd-rank', rank__form='cosine'),
    'kd-positives': _with('kd', selector=_positive),
    'kd-rank-positives': _with('kd-rank', selector=_positive),
}
pairs = [
    *((f'kd-rank-{name}', 'kd-rank') for name in ('w0.3', 'w3', 'cosine', 'positives')),
    ('bkd-rank', 'bkd'),
    ('bkd-rank-w3', 'bkd'),
    ('kd-rank-positives', 'kd-positives'),
]
