import os
import shutil
from dataclasses import replace

import pytest
from mmengine.config import Config

from mmdet_kdrank.compare.experiment import runs_of
from mmdet_kdrank.compare.plan import read_plan


@pytest.fixture
def plan(write_plan):
    return read_plan(write_plan())


def by_name(plan):
    return {run.training.name: run for run in runs_of(plan)}


def mark(job):
    """Mark a job done without running it."""
    job.folder.mkdir(parents=True, exist_ok=True)
    job._write_state(fingerprint=job.fingerprint, done=False, starts=1, commit='abc')
    job.mark_done()


def test_teacher_comes_first_and_then_whole_pairs(plan):
    assert list(by_name(plan)) == ['teacher', 'alone/seed0', 'kd/seed0', 'alone/seed1', 'kd/seed1']


def test_students_of_the_teacher_wait_for_it_and_know_its_checkpoint(plan):
    runs = by_name(plan)
    teacher = runs['teacher'].training
    assert runs['kd/seed0'].training.after == (teacher,)
    assert runs['alone/seed0'].training.after == ()
    model = runs['kd/seed1'].training.settings.model
    assert model.teacher.checkpoint == str(teacher.checkpoint)
    assert model.teacher.config == str(teacher.config)
    assert 'teacher' not in runs['alone/seed1'].training.settings.model


def test_every_student_is_measured_against_the_teacher(plan):
    runs = by_name(plan)
    for name in ('alone/seed0', 'kd/seed0'):
        command = runs[name].evaluation.command(plan.folder)
        assert command[-2:] == [str(runs['teacher'].training.config), command[-1]]
        assert command[-1].endswith('work/teacher/iter_6.pth')
        assert runs['teacher'].training in runs[name].evaluation.after
    assert '--teacher' not in runs['teacher'].evaluation.command(plan.folder)


def test_runs_of_one_seed_differ_in_their_config_alone(plan):
    runs = by_name(plan)
    for seed in plan.seeds:
        seeds = {
            runs[f'{name}/seed{seed}'].training.settings.randomness.seed for name in ('alone', 'kd')
        }
        assert seeds == {seed}
    one, other = (runs[f'kd/seed{seed}'].training for seed in plan.seeds)
    assert one.fingerprint != other.fingerprint


def test_another_teacher_makes_its_students_train_again_and_all_be_evaluated_again(
    plan, write_plan
):
    teacher = dict(config=plan.teacher.filename, options={'train_cfg.max_iters': 7})
    config = write_plan(teacher=teacher)
    other = by_name(read_plan(config))
    for name, run in by_name(plan).items():
        assert (run.training.fingerprint == other[name].training.fingerprint) == ('alone' in name)
        assert run.evaluation.fingerprint != other[name].evaluation.fingerprint


def test_other_pictures_make_everything_train_again(plan):
    other = by_name(replace(plan, images=replace(plan.images, seed=9)))
    for name, run in by_name(plan).items():
        assert run.training.fingerprint != other[name].training.fingerprint


def test_named_teachers_and_annotations_count_by_their_content(write_plan, configs, tmp_path):
    checkpoint, annotations = tmp_path / 't.pth', tmp_path / 'val.json'
    checkpoint.write_text('one')
    annotations.write_text('one')
    kd = dict(config=str(configs / 'kd.py'), options={'model.teacher.checkpoint': str(checkpoint)})
    alone = dict(config=str(configs / 'alone.py'))
    options = {'test_evaluator.ann_file': str(annotations)}
    path = write_plan(teacher=None, shapes=None, variants=dict(alone=alone, kd=kd), options=options)
    first = by_name(read_plan(path))
    checkpoint.write_text('other')
    os.utime(checkpoint, (1, 1))
    second = by_name(read_plan(path))
    for name, run in first.items():
        assert (run.training.fingerprint == second[name].training.fingerprint) == ('alone' in name)
        assert run.evaluation.fingerprint != second[name].evaluation.fingerprint
    annotations.write_text('other')
    os.utime(annotations, (1, 1))
    for name, run in by_name(read_plan(path)).items():
        assert run.training.fingerprint != second[name].training.fingerprint


def test_a_plans_teacher_serves_variants_that_name_no_checkpoint(write_plan, configs):
    text = (configs / 'kd.py').read_text().replace(", checkpoint='t.pth'", '')
    (configs / 'kd.py').write_text(text)
    runs = by_name(read_plan(write_plan()))
    teacher = runs['kd/seed0'].training.settings.model.teacher
    assert teacher.checkpoint == str(runs['teacher'].training.checkpoint)


def test_a_run_that_went_on_under_other_sources_names_both(plan, monkeypatch):
    training = by_name(plan)['alone/seed0'].training
    monkeypatch.setattr(type(training), 'command', lambda self, root: ['true'])
    for name in ('abc', 'abc', 'def'):
        monkeypatch.setattr('mmdet_kdrank.runs.job.commit', lambda name=name: name)
        training.start(plan.folder, {}).wait()
    assert (training.state['commit'], training.state['starts']) == ('abc, def', 3)


def test_moved_folder_keeps_its_results(plan, write_plan, tmp_path):
    moved = by_name(read_plan(write_plan(), folder=tmp_path / 'elsewhere'))
    for name, run in by_name(plan).items():
        assert run.training.fingerprint == moved[name].training.fingerprint
        assert run.evaluation.fingerprint == moved[name].evaluation.fingerprint


def test_moved_checkout_keeps_its_results(write_plan, configs, tmp_path, monkeypatch):
    with (configs / 'alone.py').open('a') as file:
        file.write("\nplace = '{{ fileDirname }}/other.py'\n")
    variants = {name: dict(config=f'configs/{name}.py') for name in ('alone', 'kd')}
    path = write_plan(variants=variants, teacher=dict(config='configs/teacher.py'))
    found = []
    for name in ('one', 'two'):
        shutil.copytree(configs, tmp_path / name / 'configs')
        monkeypatch.chdir(tmp_path / name)
        found.append(
            {key: run.training.fingerprint for key, run in by_name(read_plan(path)).items()}
        )
    assert found[0] == found[1]


def test_run_is_done_with_both_its_jobs(plan):
    run = by_name(plan)['alone/seed0']
    mark(run.training)
    assert not run.is_done()
    mark(run.evaluation)
    assert run.is_done()
    run.evaluation.clear()
    assert run.training.is_done() and not run.is_done()


def test_teacher_that_the_configs_name_serves_all(write_plan):
    runs = by_name(read_plan(write_plan(teacher=None)))
    assert 'teacher' not in runs
    for run in runs.values():
        assert run.evaluation.command(run.training.folder)[-3:] == [
            '--teacher',
            'teacher.py',
            't.pth',
        ]


def test_several_teachers_are_none_to_measure_against(write_plan, configs):
    kd = str(configs / 'kd.py')
    other = dict(config=kd, options={'model.teacher.checkpoint': 'other.pth'})
    plan = read_plan(write_plan(teacher=None, variants=dict(a=dict(config=kd), b=other)))
    assert all(run.evaluation.teacher is None for run in runs_of(plan))


def test_whole_config_is_written_beside_the_folder(plan):
    training = by_name(plan)['kd/seed1'].training
    assert training.config == plan.folder / 'kd' / 'seed1.py'
    command = training.command(plan.folder)
    assert command[2] == str(training.config) and '--cfg-options' not in command
    assert Config.fromfile(training.config).to_dict() == training.settings.to_dict()
