import pytest

from experiments.demo import command as module
from experiments.demo.trainings import Plan
from mmdet_kdrank.datasets.shapes.folder import ShapesSpec
from mmdet_kdrank.errors import RunError


@pytest.fixture
def done(monkeypatch, tmp_path):
    calls = []

    def run(plan, root):
        calls.append(plan)
        return [tmp_path / 'results.json']

    monkeypatch.setattr(module, 'run', run)
    return calls


def test_ends_with_the_paths_and_the_time(done, tmp_path, capsys):
    assert module.main(tmp_path, []) == 0
    out = capsys.readouterr().out
    assert f'{tmp_path}/results.json\nDone in 0 min' in out
    assert done[0].folder == tmp_path / 'work_dirs' / 'demo'
    assert 'far too short' not in out


def test_quick_says_that_its_figures_mean_nothing(done, tmp_path, capsys):
    assert module.main(tmp_path, ['--quick']) == 0
    assert done[0].folder == tmp_path / 'work_dirs' / 'demo-quick'
    assert capsys.readouterr().out.rstrip().endswith('Run the full demo for that.')


@pytest.mark.parametrize(
    'error, status, words',
    [(RunError('disk full'), 1, 'disk full'), (KeyboardInterrupt(), 130, 'continues from here')],
)
def test_end_without_results_is_told_and_has_a_status(
    monkeypatch, tmp_path, capsys, error, status, words
):
    def run(plan, root):
        raise error

    monkeypatch.setattr(module, 'run', run)
    assert module.main(tmp_path, []) == status
    assert words in capsys.readouterr().err


def test_phases_run_in_order_and_then_the_report(monkeypatch, tmp_path):
    order = []
    monkeypatch.setattr(module, 'write_shapes', lambda *_: order.append('pictures'))
    monkeypatch.setattr(module, 'run_phase', lambda title, *_: order.append(title))
    monkeypatch.setattr(
        module, 'write_report', lambda plan, done_trainings: order.append(len(done_trainings))
    )
    monkeypatch.setattr(Plan, 'phases', lambda *_: [['a', 'b'], ['c']])
    module.run(Plan(tmp_path / 'work', ShapesSpec()), tmp_path)
    assert order == ['pictures', '[1/2]', '[2/2]', 3]
