import json
import math
import re
from itertools import chain
from pathlib import Path

import pytest
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.registry import HOOKS

from mmdet_kdrank.diagnostics.journal import read_diagnostics
from mmdet_kdrank.losses import LogitDistillLoss
from mmdet_kdrank.runs.scalars import read_scalars
from tests.detectors import (
    ATSS,
    CASCADE,
    FASTER,
    RETINA,
    distiller_config,
    save_teacher,
    small_config,
)
from tests.runners import make_runner
from tests.training import assert_same, train, training_config, weights

HOOK = dict(type='DistillDiagnosticsHook', interval=2)


def trained(config, folder, hooks):
    config = config.copy()
    config.train_cfg.max_iters = 4
    config.custom_hooks = [*config.custom_hooks, *hooks]
    train(config, folder)
    return weights(folder / 'iter_4.pth')


@MODELS.register_module()
class DrawingLoss(LogitDistillLoss):
    """With dropout of its own."""

    def row_loss(self, pred, soft_label):
        return F.dropout((pred - soft_label).square().mean(1))


@MODELS.register_module()
class OddLoss(LogitDistillLoss):
    """Never finite."""

    def row_loss(self, pred, soft_label):
        return (pred - soft_label).sum(1) * float('inf')


DRAWING = dict(model=dict(distill_losses=dict(loss_draw=dict(type='DrawingLoss'))))


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'options'),
    [(FASTER, {}), (CASCADE, {}), (RETINA, {}), (ATSS, {}), (RETINA, DRAWING)],
)
def test_training_is_the_same_bit_for_bit(tmp_path, name, options):
    """Weights, averages, momentum and, in the checkpoint too, the random states."""
    config = training_config(name, tmp_path, **options)
    assert_same(
        trained(config, tmp_path / 'without', []), trained(config, tmp_path / 'with', [HOOK])
    )
    assert [r['step'] for r in read_diagnostics(tmp_path / 'with')] == [2, 4]


@pytest.fixture
def student(tmp_path):
    teacher = small_config(CASCADE, width=8)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    return distiller_config(small_config(CASCADE), teacher, checkpoint)


def test_every_backend_of_the_visualiser_and_the_file_get_the_same(student, tmp_path):
    visualizer = dict(type='DetTensorboardVisualizer', vis_backends=[dict(type='LocalVisBackend')])
    runner = make_runner(student, tmp_path, [dict(HOOK, interval=1)], visualizer=visualizer)
    runner.train()
    records = read_diagnostics(tmp_path)
    assert [record['step'] for record in records] == [1, 2]
    assert {'s0.loss_kd.foreground', 's2.gradient.loss_rank.cosine', 's1.top3'} <= set(records[0])
    logged = [
        json.loads(line)
        for line in next(tmp_path.rglob('scalars.json')).read_text().splitlines()
        if 'diagnostics/' in line
    ]
    for record, line in zip(records, logged, strict=True):
        assert line == {
            name if name == 'step' else f'diagnostics/{name}': v for name, v in record.items()
        }
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(next(tmp_path.rglob('events.out.*')).parent))
    events.Reload()
    shown = [event.value for event in events.Scalars('diagnostics/s1.tau')]
    assert shown == pytest.approx([record['s1.tau'] for record in records])
    # The lines in between do not hide what training logged.
    assert [r['step'] for r in read_scalars(tmp_path) if 'loss' in r] == [1, 2]


def test_shares_are_of_what_is_logged(student, tmp_path):
    exact = dict(log_processor=dict(type='LogProcessor', window_size=1))
    make_runner(student, tmp_path, [dict(HOOK, interval=1)], **exact).train()
    log = [record for record in read_scalars(tmp_path) if 'loss' in record]
    for measured, line in zip(read_diagnostics(tmp_path), log, strict=True):
        for entry in ('s0.loss_kd', 's2.loss_rank'):
            parts = measured[f'{entry}.foreground'] + measured[f'{entry}.background']
            assert parts == pytest.approx(line[entry], rel=1e-5)
        assert measured['s1.top1'] == pytest.approx(line['s1.distill_top1'], rel=1e-6)
        assert measured['s1.tau'] == pytest.approx(line['s1.distill_tau'], rel=1e-5)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(interval=0), 'interval=0'),
        (dict(topk=(1, 0)), 'topk=0'),
        (dict(score_edges=(0.5, 0.2)), 'must rise'),
        (dict(score_edges=(0.0, 0.2)), 'must rise'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HOOKS.build(dict(HOOK, **options))


def test_a_stock_detector_is_refused(tmp_path):
    runner = make_runner(small_config(RETINA), tmp_path, [HOOK])
    with pytest.raises(TypeError, match='DistillDiagnosticsHook needs a distilling detector'):
        runner.train()


def test_what_is_left_out_for_not_being_finite_is_no_line_that_json_refuses(student, tmp_path):
    student.on_nonfinite = 'skip'
    student.distill_losses.loss_odd = dict(type='OddLoss')
    make_runner(student, tmp_path, [dict(HOOK, interval=1)]).train()
    records = read_diagnostics(tmp_path)
    assert [record['step'] for record in records] == [1, 2]
    assert all(math.isfinite(value) for record in records for value in record.values())
    assert 's0.tau' in records[0] and 's0.loss_odd.foreground' not in records[0]


PAGE = (Path(__file__).parents[2] / 'docs' / 'how_to' / 'looking_inside.md').read_text()


def explained(page):
    """The names in the page's table, each with the pattern that it stands for."""
    table = re.search(r'^\| name \| meaning \|\n((?:\|.*\n)+)', page, re.MULTILINE)[1]
    patterns = {}
    for row in table.splitlines()[1:]:
        before = ''
        for name in re.findall('`(.+?)`', row.split('|')[1]):
            if name.startswith('.'):  # another end of the name before it
                name = before.rpartition('.')[0] + name
            before, pattern = name, re.escape(name.replace('….rows', 'tau….rows'))
            for shown, meant in (
                ('loss_(kd|rank)', r'loss_\\w+'),
                ('NAME', r'[^.]+'),
                ('…', '.*'),
                (r'\d+', r'\\d+'),
            ):
                pattern = re.sub(shown, meant, pattern)
            patterns[name] = pattern
    return patterns


def test_the_example_of_the_docs_is_the_hook_and_names_are_explained(student, tmp_path):
    config = {}
    exec(re.search(r'```python\n(.*?)```', PAGE, re.DOTALL)[1], config)
    (hook,) = config['custom_hooks']
    assert HOOKS.build(hook).interval == 50
    make_runner(student, tmp_path, [dict(hook, interval=1)]).train()
    kinds = {re.sub(r'^s\d\.', '', name) for name in read_diagnostics(tmp_path)[0]} - {'step'}
    patterns = explained(PAGE)
    met = {kind: [n for n, p in patterns.items() if re.fullmatch(p, kind)] for kind in kinds}
    assert not [kind for kind, names in met.items() if not names]
    # Levels are those of dense heads.
    assert patterns.keys() - set(chain.from_iterable(met.values())) == {'loss_kd.level0'}
