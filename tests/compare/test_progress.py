import json

import pytest

from mmdet_kdrank.compare import progress
from mmdet_kdrank.compare.experiment import runs_of
from mmdet_kdrank.compare.plan import read_plan
from mmdet_kdrank.compare.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """Time as the test sets it."""
    now = [0.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    return now


@pytest.fixture
def runs(write_plan):
    return runs_of(read_plan(write_plan(options={'train_cfg.max_iters': 100}, teacher=None)))


def log(run, step):
    path = run.training.folder / '20260101_000000' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({'step': step, 'loss': 1.0, 'time': 0.1}))


def test_line_tells_runs_iterations_and_the_time_left(runs, clock):
    line = Progress(runs, slots=2)
    assert line([runs[0].training]) == '[0/4 runs] alone/seed0 starting'
    log(runs[0], 10)
    assert line([runs[0].training]) == '[0/4 runs] alone/seed0 10/100'
    log(runs[0], 30)
    clock[0] = 600.0
    # 30 s an iteration, 70 and three times 100 left, in two places.
    text = line([runs[0].training])
    assert text == '[0/4 runs] alone/seed0 30/100 | about 1 h 32 min left'


def test_finished_runs_are_counted_and_take_no_time(runs, clock, finish):
    line = Progress(runs, slots=1)
    log(runs[0], 10)
    line([runs[0].training])
    log(runs[0], 100)
    clock[0] = 90.0
    line([runs[0].training])
    finish(runs[0], noise=0.1)
    assert line([runs[1].training]).startswith('[1/4 runs] kd/seed0 starting | about 0 h 05 min')


def test_many_jobs_are_not_all_named(runs):
    jobs = [run.training for run in runs] * 2
    assert Progress(runs, slots=8)(jobs).endswith('kd/seed1 starting | 4 more')


def test_length_in_epochs_comes_from_the_log(write_plan):
    plan = read_plan(write_plan(teacher=None))
    for config in plan.variants.values():
        config.train_cfg = dict(max_epochs=12)
    run = runs_of(plan)[0]
    log(run, 50)
    line = Progress([run], slots=1)
    assert line([run.training]) == '[0/1 runs] alone/seed0 50/?'
    run.training.log.write_text('Epoch(train)  [1][  50/7330]  lr: 2.0e-02  eta: 1 day\n')
    assert line([run.training]) == '[0/1 runs] alone/seed0 50/87960'
