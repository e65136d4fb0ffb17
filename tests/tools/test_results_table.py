import json

import pytest

from tools.results_table import Evaluation, last_evaluation, results_table

MAP, AP50 = 'coco/bbox_mAP', 'coco/bbox_mAP_50'


def write_training(work_dir, timestamp, *records):
    path = work_dir / timestamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(record) + '\n' for record in records))


def write_test(work_dir, timestamp, **metrics):
    (work_dir / timestamp).mkdir(parents=True)
    (work_dir / timestamp / f'{timestamp}.json').write_text(json.dumps(metrics))


LINES = [
    {'loss': 1.0, 'step': 100, 'time': 0.1},
    {MAP: 0.1, 'step': 1, 'time': 0.2},
    {MAP: 0.2, AP50: 0.4, 'data_time': 0.1, 'step': 2},
    {'loss': 1.0, 'step': 300},
]


def test_the_last_validation_of_a_training_counts(tmp_path):
    write_training(tmp_path, '20260101_120000', *LINES)
    assert last_evaluation(tmp_path) == Evaluation('training, step 2', {MAP: 0.2, AP50: 0.4})


def test_the_newest_run_counts_be_it_a_test_or_a_resumed_training(tmp_path):
    write_training(tmp_path, '20260101_120000', *LINES)
    write_test(
        tmp_path, '20260102_120000', **{MAP: 0.25, 'time': 3.0, 'coco/copypaste': '0.25 0.4'}
    )
    assert last_evaluation(tmp_path) == Evaluation('test', {MAP: 0.25})
    write_training(tmp_path, '20260103_120000', {MAP: 0.3, 'step': 3})
    assert last_evaluation(tmp_path) == Evaluation('training, step 3', {MAP: 0.3})
    # A run that has not evaluated yet takes nothing away.
    write_training(tmp_path, '20260104_120000', {'loss': 1.0, 'step': 400})
    (tmp_path / 'vis').mkdir()
    assert last_evaluation(tmp_path) == Evaluation('training, step 3', {MAP: 0.3})


def test_a_line_that_is_being_written_is_left_out(tmp_path):
    write_training(tmp_path, '20260101_120000', *LINES)
    with (tmp_path / '20260101_120000/vis_data/scalars.json').open('a') as file:
        file.write('{"coco/bbox_mAP": 0.9, "st')
    assert last_evaluation(tmp_path).metrics[MAP] == 0.2


def test_table_has_all_metrics_and_says_what_is_missing(tmp_path):
    write_training(tmp_path / 'kd', '20260101_120000', *LINES)
    write_test(tmp_path / 'masks', '20260101_120000', **{MAP: 0.3, 'coco/segm_mAP': 0.1234})
    (tmp_path / 'begun').mkdir()
    assert results_table([tmp_path / name for name in ('kd', 'masks', 'begun')]).splitlines() == [
        '| run | evaluated | coco/bbox_mAP | coco/bbox_mAP_50 | coco/segm_mAP |',
        '| --- | --- | --- | --- | --- |',
        '| kd | training, step 2 | 0.200 | 0.400 |  |',
        '| masks | test | 0.300 |  | 0.123 |',
        '| begun | not yet |  |  |  |',
    ]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone is no folder'):
        results_table([tmp_path / 'gone'])
