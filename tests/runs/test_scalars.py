import json
import math

from mmdet_kdrank.runs.scalars import MEAN_AP, curve, read_scalars, seconds_per_iteration


def write(folder, run, lines):
    path = folder / run / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(lines))


def test_resumed_run_replaces_the_steps_it_did_again(tmp_path):
    first = [{'step': 10, 'loss': 3.0, 'time': 0.5}, {'step': 20, 'loss': 2.0, 'time': 0.5}]
    second = [
        {'step': 20, 'loss': 1.5, 'time': 0.1},
        {'step': 30, 'loss': 1.0, 'time': 0.3},
        {'step': 30, MEAN_AP: 0.25, 'time': 9.0},
    ]
    write(tmp_path, '20260101_120000', map(json.dumps, first))
    write(tmp_path, '20260101_110000', map(json.dumps, []))
    write(tmp_path, '20260102_000000', map(json.dumps, second))
    records = read_scalars(tmp_path)
    assert curve(records, 'loss') == ([10, 20, 30], [3.0, 1.5, 1.0])
    assert curve(records, MEAN_AP) == ([30], [0.25])
    assert curve(records, 'loss_rank') == ([], [])
    assert seconds_per_iteration(records) == 0.3


def test_validation_and_diagnostics_of_one_step_are_both_kept(tmp_path):
    lines = [{'step': 10, 'diagnostics/tau': 0.5}, {'step': 10, MEAN_AP: 0.25}]
    write(tmp_path, '20260101_120000', map(json.dumps, lines))
    records = read_scalars(tmp_path)
    assert curve(records, 'diagnostics/tau') == ([10], [0.5])
    assert curve(records, MEAN_AP) == ([10], [0.25])


def test_line_being_written_is_left_out(tmp_path):
    write(tmp_path, '20260101_120000', ['{"step": 1, "loss": 2.0}', '{"step": 2, "lo'])
    assert [record['step'] for record in read_scalars(tmp_path)] == [1]


def test_training_without_a_log_has_no_records(tmp_path):
    assert read_scalars(tmp_path / 'missing') == []
    assert math.isnan(seconds_per_iteration([]))
