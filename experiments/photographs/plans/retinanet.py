# On photographs that no setting was chosen on. BKD stands for DKD, which needs softmax.
_base_ = './_base_/final.py'
_config = 'experiments/photographs/configs/retinanet_{}.py'
_rank = 'model.distill_losses.loss_rank.{}'
_crank = {'model.distill_losses.loss_crank': dict(type='CandidateRankLoss', loss_weight=1.0)}


def _student(kind, **options):
    return dict(config=_config.format(f'lite2-lite0_{kind}'), options=options)


teacher = dict(config=_config.format('lite2'))
variants = {
    'alone': dict(config=_config.format('lite0')),
    **{kind: _student(kind) for kind in ('kd', 'kd-rank', 'bkd', 'bkd-rank')},
    'kd-rank-k100': _student('kd-rank', **{_rank.format('steepness'): 100.0}),
    'kd-rank-cosine': _student('kd-rank', **{_rank.format('form'): 'cosine'}),
    'kd-rank-crank': _student('kd-rank', **_crank),
}
pairs = [
    ('bkd-rank', 'bkd'),
    *((f'kd-rank-{name}', 'kd-rank') for name in ('k100', 'cosine', 'crank')),
]
