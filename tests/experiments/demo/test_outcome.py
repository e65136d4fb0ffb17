import json
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from experiments.demo.outcome import format_table, write_report
from experiments.demo.trainings import ALONE, TEACHER, Plan
from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES, PALETTE
from mmdet_kdrank.runs.scalars import AP50, MEAN_AP

ROOT = Path(__file__).parents[3]


def leave_a_training(training, student):
    """Write what a finished training leaves: a checkpoint and its scalars."""
    settings = training.settings if training.name == TEACHER else student.settings
    training.work_dir.mkdir(parents=True)
    torch.manual_seed(0)
    meta = {'dataset_meta': {'classes': CLASSES, 'palette': PALETTE}}
    content = {'state_dict': MODELS.build(settings.model).state_dict(), 'meta': meta}
    torch.save(content, training.checkpoint)
    log = training.work_dir / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    records = [{'step': 4, 'loss': 1.0, 'time': 0.25}]
    if training.name != ALONE:
        records.append({'step': 4, MEAN_AP: 0.125, AP50: 0.5})
    log.write_text('\n'.join(map(json.dumps, records)))


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    register_all_modules()
    pictures = ShapesSpec(num_train=1, num_val=2)
    plan = Plan(tmp_path_factory.mktemp('demo'), pictures, iterations=(4, 4))
    write_shapes(plan.data, pictures)
    trainings = [each for phase in plan.phases(ROOT) for each in phase]
    for training in trainings:
        leave_a_training(training, trainings[1])
    return write_report(plan, trainings)


def test_all_files_are_there(report):
    assert [path.name for path in report] == ['results.json', 'detections.png', 'curves.png']
    assert all(path.stat().st_size > 1000 for path in report)


def test_results_say_where_they_come_from(report):
    results = json.loads(report[0].read_text())
    assert (results['seed'], results['note']) == (0, 'one seed')
    assert {'date', 'hardware', 'versions', 'pictures', 'settings'} <= set(results)
    teacher, alone, *_ = results['rows']
    assert (teacher['mAP'], teacher['AP50'], teacher['seconds_per_iteration']) == (0.125, 0.5, 0.25)
    assert 'tau' not in teacher and -1 <= alone['tau'] <= 1


def test_detector_that_found_nothing_has_no_precision(report):
    assert json.loads(report[0].read_text())['rows'][1]['mAP'] == 0


def test_equal_students_agree_equally_with_the_teacher(report):
    rows = json.loads(report[0].read_text())['rows']
    assert rows[1]['tau'] == rows[2]['tau'] == rows[3]['tau']


def test_table_says_one_seed():
    row = {'name': 'student', 'mAP': 0.3216, 'AP50': 0.5, 'tau': 0.61, 'top1': 0.7}
    table = format_table([{**row, 'seconds_per_iteration': 0.5, 'iterations': 9}])
    assert 'one seed' in table.splitlines()[1]
    cells = [cell.strip() for cell in table.splitlines()[3].strip('|').split('|')]
    assert cells == ['student', '32.2', '50.0', '0.610', '70.0 %', '0.50', '9']
    assert 'prove nothing' in table
