_base_ = './_base_/quarter.py'
_config = 'experiments/photographs/configs/retinanet_{}.py'
teacher = dict(config=_config.format('lite2'))
variants = {
    'alone': dict(config=_config.format('lite0')),
    **{kind: dict(config=_config.format(f'lite2-lite0_{kind}')) for kind in ('kd', 'kd-rank')},
}
