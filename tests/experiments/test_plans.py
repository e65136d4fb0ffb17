"""The plans of experiments/ can be run, and compare what they say."""

from functools import cache
from pathlib import Path

import pytest

from mmdet_kdrank.compare.experiment import runs_of
from mmdet_kdrank.compare.plan import read_plan

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / 'experiments' / 'plans').glob('*.py'))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@cache
def plan(name):
    return read_plan(f'experiments/plans/{name}.py')


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_every_run_of_a_plan_differs(name):
    runs = runs_of(plan(name))
    assert len({run.training.fingerprint for run in runs}) == len(runs)
    students = [run.training for run in runs[1:]]
    assert {each.iterations for each in students} == {1500}
    assert len({each.settings.param_scheduler[1].T_max for each in students}) == 1


@pytest.mark.parametrize('name', NAMES)
def test_settings_are_chosen_on_other_pictures_than_those_of_the_tables(name):
    assert (plan(name).images.seed == 1) == name.startswith('tuning')
    # 0 are those of the demo, which were looked at for longer.
    assert plan(name).images.seed > 0


@pytest.mark.parametrize('detector', ['faster-rcnn', 'retinanet'])
def test_fewer_pictures_and_a_weaker_teacher_differ_in_that_alone(detector):
    whole, quarter, weak = (plan(detector + suffix) for suffix in ('', '_quarter', '_weak-teacher'))
    for name in ('kd', 'kd-rank'):
        settings = whole.variants[name].to_dict()
        assert text(weak.variants[name].to_dict(), weak) == text(settings, whole)
        fewer = quarter.variants[name].to_dict()
        assert fewer['train_dataloader']['dataset'].pop('indices') == 250
        assert text(fewer, quarter) == text(settings, whole)
    assert weak.teacher.train_cfg.max_iters == whole.teacher.train_cfg.max_iters / 4


def text(settings, plan):
    return repr(settings).replace(str(plan.folder), '.')
