from experiments.survey.configs import StockConfig
from experiments.survey.runs import head_of, runs_of


def stock(name, depth=50, head='RetinaHead', **model):
    backbone = dict(depth=depth, init_cfg=dict(checkpoint=name))
    model = dict(type='RetinaNet', backbone=backbone, bbox_head=dict(type=head)) | model
    return StockConfig(name, model)


def test_configs_that_differ_in_weights_alone_share_a_run():
    runs = runs_of([stock('a'), stock('b'), stock('c', neck={}), StockConfig('d', problem='none')])
    assert [run.configs for run in runs] == [['a', 'b'], ['c']]
    assert runs[0].key != runs[1].key


def test_the_smallest_of_each_kind_comes_first():
    runs = runs_of([stock('a', 101), stock('b', 18), stock('c', 50), stock('d', head='FCOSHead')])
    assert [run.configs[0] for run in runs] == ['b', 'd', 'a', 'c']


def test_heads_are_found_where_they_stand():
    head = dict(type='FCOSHead', loss_cls=dict(type='FocalLoss'))
    assert head_of(dict(bbox_head=head)) == ('FCOSHead', 'FocalLoss')
    assert head_of(dict(roi_head=dict(type='Own', bbox_head=[head, head]))) == (
        'Own / FCOSHead',
        'FocalLoss',
    )
    assert head_of(dict(rpn_head=dict(type='RPNHead'))) == ('RPNHead', '')
    assert head_of(dict(bbox_head=None)) == ('', '')
