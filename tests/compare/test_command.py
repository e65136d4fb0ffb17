import pytest
import torch

from mmdet_kdrank.compare import command
from mmdet_kdrank.errors import RunError


@pytest.fixture
def slots(monkeypatch, finished):
    """Places for processes that a call with these arguments would have."""
    plan, runs = finished

    def call(*arguments, devices=0, visible=None):
        seen = []
        monkeypatch.setattr(torch.cuda, 'device_count', lambda: devices)
        monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
        if visible is not None:
            monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
        monkeypatch.setattr(command, 'cpu_count', lambda: 3)
        monkeypatch.setattr(command, 'write_shapes', lambda *_: False)
        monkeypatch.setattr(command, 'run_jobs', lambda jobs, found, *_, **__: seen.append(found))
        status = command.main(
            plan.folder, ['--plan', str(plan.folder.parent / 'plan.py'), *arguments]
        )
        assert status == 0
        return seen[0]

    return call


def test_without_a_gpu_there_is_a_place_for_each_core(slots):
    assert slots() == [{'OMP_NUM_THREADS': '1'}] * 3
    assert len(slots('--jobs', '5')) == 5


@pytest.mark.parametrize(
    'jobs, visible, found',
    [
        ((), None, '01'),
        (('--jobs', '3'), None, '010'),
        ((), '4,7', '47'),
        (('--jobs', '1'), '5,6', '5'),
    ],
)
def test_each_place_has_a_gpu_in_turn(slots, jobs, visible, found):
    places = slots(*jobs, devices=2, visible=visible)
    assert [each['CUDA_VISIBLE_DEVICES'] for each in places] == list(found)


def test_report_runs_nothing(finished, monkeypatch, capsys):
    plan, _ = finished
    monkeypatch.setattr(command, 'run_jobs', None)
    plan_file = str(plan.folder.parent / 'plan.py')
    assert command.main(plan.folder, ['--plan', plan_file, '--report']) == 0
    out = capsys.readouterr().out
    assert '## Paired differences' in out and '## AP by class' not in out
    assert f'{plan.folder}/results.json' in out


@pytest.mark.parametrize(
    'arguments, words',
    [
        (['--plan', '{plan}', '--baseline', 'none'], "'none' is no variant"),
        (['--plan', '{plan}', 'config.py'], 'Give configs or --plan, not both'),
        (['--plan', '{plan}', '--jobs', '0'], '--jobs 0 must be at least 1'),
        (['nowhere.py', 'other.py'], "nowhere.py: config='nowhere.py'"),
        (['--plan', '{plan}', '--seeds', '0'], '--seeds 0 must be at least 1'),
        ([], 'has 0 variant'),
    ],
)
def test_faults_are_told_in_a_paragraph(write_plan, tmp_path, capsys, arguments, words):
    plan = str(write_plan())
    assert command.main(tmp_path, [each.format(plan=plan) for each in arguments]) == 1
    error = capsys.readouterr().err
    assert words in error and 'Traceback' not in error


@pytest.mark.parametrize(
    'error, status, words',
    [(RunError('no disk'), 1, 'no disk'), (KeyboardInterrupt(), 130, 'goes on')],
)
def test_what_stops_it_has_a_status(finished, monkeypatch, capsys, error, status, words):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(command, 'write_shapes', lambda *_: False)
    monkeypatch.setattr(command, 'run_jobs', stop)
    plan, _ = finished
    assert command.main(plan.folder, ['--plan', str(plan.folder.parent / 'plan.py')]) == status
    assert words in capsys.readouterr().err
