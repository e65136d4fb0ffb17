"""The plans of experiments/photographs/ can be run where the photographs are."""

import os
from functools import cache
from pathlib import Path

import pytest

from mmdet_kdrank.compare.experiment import runs_of
from mmdet_kdrank.compare.plan import read_plan

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path('experiments', 'photographs', 'plans')
NAMES = sorted(path.stem for path in (ROOT / FOLDER).glob('*.py'))
PHOTOGRAPHS = Path(os.environ.get('GROCERIES', ROOT / 'data' / 'groceries')).absolute()


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@cache
def plan(name):
    return read_plan(FOLDER / f'{name}.py')


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_every_run_of_a_plan_differs(name):
    if not (PHOTOGRAPHS / 'annotations' / 'instances_train.json').is_file():
        pytest.skip(f'no photographs in {PHOTOGRAPHS}: set GROCERIES to their folder')
    runs = runs_of(plan(name))
    assert len({run.training.fingerprint for run in runs}) == len(runs)


@pytest.mark.parametrize('name', NAMES)
def test_students_of_a_plan_differ_in_model_and_length_alone(name):
    lengths = {}
    for variant, config in plan(name).variants.items():
        lengths[variant] = config.train_cfg.max_iters
        assert config.param_scheduler[1].T_max == config.train_cfg.max_iters
        assert config.model.backbone == plan(name).variants['alone'].model.backbone
    assert set(lengths.values()) == ({3600, 10000} if 'setting' in name else {3600})
    assert plan(name).teacher.param_scheduler[1].T_max == plan(name).teacher.train_cfg.max_iters


@pytest.mark.parametrize('detector', ['faster-rcnn', 'retinanet'])
def test_fewer_photographs_and_the_setting_use_the_same_teacher_and_student(detector):
    whole, quarter, setting = (plan(detector + suffix) for suffix in ('', '_quarter', '_setting'))
    for name in ('alone', 'kd', 'kd-rank'):
        fewer = quarter.variants[name].to_dict()
        assert fewer['train_dataloader']['dataset'].pop('indices') == 900
        assert fewer == whole.variants[name].to_dict()
    assert setting.variants['alone'].to_dict() == whole.variants['alone'].to_dict()
    teachers = [whole.teacher, quarter.teacher, setting.teacher]
    assert all(teacher.to_dict() == whole.teacher.to_dict() for teacher in teachers)
