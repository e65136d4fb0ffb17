_base_ = './_base_/tuning.py'
_student = 'configs/shapes/faster-rcnn_r18w32-r18w16_kd{}_shapes.py'
_loss = 'distill_losses.loss_{}.{}'


def _model(kind, **options):
    settings = {'selector': dict(type='AllSamples'), **options}
    options = {f'model.{key}': value for key, value in settings.items()}
    return dict(config=_student.format(kind), options=options)


def _with_kd(weight, kind='', **options):
    # 28 channels, over which MMDetection's KL averages.
    return _model(kind, **options, **{_loss.format('kd', 'loss_weight'): 28 * weight})


def _with_rank(kd=1.0, **options):
    options = {_loss.format('rank', key): value for key, value in options.items()}
    return _with_kd(kd, kind='-rank', **options)


_positive = dict(type='PositiveSamples')
teacher = dict(config='configs/shapes/faster-rcnn_r18w32_shapes.py')
variants = {
    'alone': dict(config='configs/shapes/faster-rcnn_r18w16_shapes.py'),
    'kd': _model(''),
    'kd-w0.3': _with_kd(0.3),
    'kd-w3': _with_kd(3.0),
    'kd-w10': _with_kd(10.0),
    'kd-rank': _with_rank(),
    'kd-rank-w3': _with_rank(loss_weight=3.0),
    'kd-rank-w10': _with_rank(loss_weight=10.0),
    'kd-w3-rank': _with_rank(kd=3.0),
    'kd-w3-rank-w3': _with_rank(kd=3.0, loss_weight=3.0),
    'kd-rank-cosine': _with_rank(form='cosine'),
    'kd-rank-cosine-w3': _with_rank(form='cosine', loss_weight=3.0),
    'kd-rank-standardized': _with_rank(standardize=True),
    'kd-rank-standardized-w3': _with_rank(standardize=True, loss_weight=3.0),
    'kd-rank-k0.3': _with_rank(steepness=0.3),
    'kd-rank-k3': _with_rank(steepness=3.0),
    'kd-rank-algebraic': _with_rank(surrogate='algebraic'),
    'kd-rank-exact-teacher': _with_rank(exact_teacher=True),
    'kd-positives': _model('', selector=_positive),
    'kd-positives-w0.3': _with_kd(0.3, selector=_positive),
    'kd-positives-w3': _with_kd(3.0, selector=_positive),
    'kd-rank-positives': _model('-rank', selector=_positive),
    'kd-rank-positives-cosine': _model(
        '-rank', selector=_positive, **{'distill_losses.loss_rank.form': 'cosine'}
    ),
    'kd-foreground': _model('', channels='foreground'),
    'kd-rank-foreground': _model('-rank', channels='foreground'),
}
_of_rank = ('w3', 'w10', 'cosine', 'standardized', 'k0.3', 'k3', 'algebraic', 'exact-teacher')
pairs = [
    *((f'kd-rank-{name}', 'kd-rank') for name in (*_of_rank, 'positives')),
    ('kd-rank-cosine-w3', 'kd-rank-cosine'),
    ('kd-rank-standardized-w3', 'kd-rank-standardized'),
    ('kd-rank-positives-cosine', 'kd-rank-positives'),
    ('kd-w3-rank', 'kd-w3'),
    # The positive rows weigh about the same in both.
    ('kd-positives', 'kd-w3'),
    ('kd-positives-w3', 'kd-w10'),
    ('kd-rank-positives', 'kd-positives'),
    ('kd-rank-foreground', 'kd-foreground'),
]
