_base_ = './_base_/setting.py'
_config = 'experiments/photographs/configs/faster-rcnn_{}.py'
teacher = dict(config=_config.format('lite2'))
variants = {
    'alone': dict(config=_config.format('lite0')),
    'alone-longer': dict(config=_config.format('lite0'), options={{_base_._longer}}),
}
