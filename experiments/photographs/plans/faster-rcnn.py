# Does it help? On photographs that no setting was chosen on.
_base_ = './_base_/final.py'
_config = 'experiments/photographs/configs/faster-rcnn_{}.py'
_rank = 'model.distill_losses.loss_rank.{}'
_cosine = {_rank.format('form'): 'cosine'}
_crank = {'model.distill_losses.loss_crank': dict(type='CandidateRankLoss', loss_weight=1.0)}
_positives = {'model.selector': dict(type='PositiveSamples')}


def _student(kind, *options):
    joined = {key: value for each in options for key, value in each.items()}
    return dict(config=_config.format(f'lite2-lite0_{kind}'), options=joined)


teacher = dict(config=_config.format('lite2'))
variants = {
    'alone': dict(config=_config.format('lite0')),
    **{kind: _student(kind) for kind in ('kd', 'kd-rank', 'dkd', 'dkd-rank')},
    'kd-rank-k100': _student('kd-rank', {_rank.format('steepness'): 100.0}),
    'kd-rank-cosine': _student('kd-rank', _cosine),
    'kd-rank-crank': _student('kd-rank', _crank),
    'kd-positives': _student('kd', _positives),
    'kd-rank-positives': _student('kd-rank', _positives),
    'kd-rank-cosine-positives': _student('kd-rank', _cosine, _positives),
}
pairs = [
    ('dkd-rank', 'dkd'),
    *((f'kd-rank-{name}', 'kd-rank') for name in ('k100', 'cosine', 'crank', 'positives')),
    ('kd-rank-positives', 'kd-positives'),
    ('kd-rank-cosine-positives', 'kd-positives'),
]
