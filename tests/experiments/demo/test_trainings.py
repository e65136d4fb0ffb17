from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from experiments.demo.trainings import ALONE, KD, KD_RANK, TEACHER, full_plan, quick_plan
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES

ROOT = Path(__file__).parents[3]


@cache
def trainings(plan):
    return {each.name: each for phase in plan.phases(ROOT) for each in phase}


@pytest.mark.parametrize('plan', [full_plan(ROOT), quick_plan(ROOT)])
def test_students_with_a_teacher_wait_for_it(plan):
    names = [[each.name for each in phase] for phase in plan.phases(ROOT)]
    assert names == [[TEACHER, ALONE], [KD, KD_RANK]]
    by_name = trainings(plan)
    for name in (KD, KD_RANK):
        model = by_name[name].settings.model
        assert model.teacher.checkpoint == str(by_name[TEACHER].checkpoint)
        assert Path(model.teacher.config) == by_name[TEACHER].config


def test_students_differ_in_the_distillation_alone():
    by_name = trainings(full_plan(ROOT))
    settings = [by_name[name].settings.to_dict() for name in (ALONE, KD, KD_RANK)]
    losses = [each['model'].pop('distill_losses', {}) for each in settings]
    for each in settings:
        each['model'].pop('teacher', None)
        each['model'].pop('type')
        for helper in ('teacher', 'distill_losses'):
            each.pop(helper, None)
    assert settings[0] == settings[1] == settings[2]
    assert losses[0] == {}
    assert set(losses[2]) - set(losses[1]) == {'loss_rank'}
    assert losses[2]['loss_kd'] == losses[1]['loss_kd']


def test_heads_and_kl_weight_fit_the_classes():
    for each in trainings(full_plan(ROOT)).values():
        model = each.settings.model
        assert model.roi_head.bbox_head.num_classes == len(CLASSES)
        if 'distill_losses' in model:
            assert model.distill_losses.loss_kd.loss_weight == len(CLASSES) + 1


def test_folders_are_apart_and_data_and_seed_the_demos():
    plan = replace(full_plan(ROOT), seed=3)
    by_name = trainings(plan)
    assert len({each.work_dir for each in by_name.values()}) == 4
    for each in by_name.values():
        assert each.settings.randomness.seed == 3
        assert each.settings.train_dataloader.dataset.data_root == f'{plan.data}/'
        assert Path(each.settings.val_evaluator.ann_file).is_relative_to(plan.data)
        assert each.settings.param_scheduler[1].T_max == each.iterations


@pytest.mark.parametrize('change', [{'seed': 1}, {'iterations': (12, 12)}])
def test_changed_teacher_retrains_its_students(change):
    one, other = trainings(full_plan(ROOT)), trainings(replace(full_plan(ROOT), **change))
    assert all(one[name].fingerprint != other[name].fingerprint for name in one)
    again = trainings.__wrapped__(full_plan(ROOT))
    assert all(one[name].fingerprint == again[name].fingerprint for name in one)


def test_other_pictures_retrain_everything():
    plan = full_plan(ROOT)
    other = trainings(replace(plan, images=replace(plan.images, seed=9)))
    assert all(
        each.fingerprint != other[name].fingerprint for name, each in trainings(plan).items()
    )
