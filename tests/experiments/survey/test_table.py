from experiments.survey.configs import StockConfig
from experiments.survey.journal import Journal
from experiments.survey.outcome import Outcome
from experiments.survey.runs import runs_of
from experiments.survey.table import COLUMNS, read_rows, rows_of, update_rows

MODEL = dict(type='RetinaNet', bbox_head=dict(type='RetinaHead', loss_cls=dict(type='FocalLoss')))


def test_a_row_for_each_config_that_was_tried_or_cannot_be(tmp_path):
    configs = [
        StockConfig('a', MODEL),
        StockConfig('b', MODEL),
        StockConfig('c', problem='no model'),
        StockConfig('d', dict(type='DETR')),
    ]
    runs = runs_of(configs)
    journal = Journal(tmp_path / 'journal.jsonl')
    journal.add(runs[0].key, Outcome('works', '', 1.234))
    path = tmp_path / 'table.csv'
    update_rows(path, rows_of(configs, runs, journal))
    a, b, c = read_rows(path)
    assert a | {'config': 'b'} == b
    assert {name: b[name] for name in ('family', 'detector', 'head', 'loss_cls')} == dict(
        family='single-stage', detector='RetinaNet', head='RetinaHead', loss_cls='FocalLoss'
    )
    assert (b['result'], b['seconds'], b['run']) == ('works', '1.2', 'a')
    assert (c['config'], c['result'], c['reason'], c['run']) == ('c', 'not run', 'no model', '')
    assert a['mmdet'] == c['mmdet'] == journal.origin['mmdet']


def test_rows_of_other_configs_stay(tmp_path):
    path = tmp_path / 'new' / 'table.csv'
    old, new = (dict.fromkeys(COLUMNS, '') | {'date': date} for date in ('2001', '2002'))
    update_rows(path, [old | {'config': 'b'}, old | {'config': 'c'}])
    update_rows(path, [new | {'config': 'c'}, new | {'config': 'a'}])
    assert [(row['config'], row['date']) for row in read_rows(path)] == [
        ('a', '2002'),
        ('b', '2001'),
        ('c', '2002'),
    ]
