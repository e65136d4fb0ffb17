import json

import cv2
import pytest
import torch
from mmdet.models import BaseDetector
from mmdet.structures import DetDataSample

from mmdet_kdrank.report.command import main
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.validation import Validation
from tests.detectors import FASTER, RETINA


@pytest.fixture(params=[FASTER, RETINA])
def runs(request, trained_run):
    return trained_run(request.param), trained_run(request.param, taught=True)


def call(tmp_path, command, *arguments):
    status = main(tmp_path, [command, *map(str, arguments), '--out', str(tmp_path / 'out')])
    assert status == 0
    return json.loads((tmp_path / 'out' / f'{command}.json').read_text())


def test_confusion(runs, tmp_path, capsys):
    found = call(tmp_path, 'confusion', *runs)
    assert list(found['students']) == [run.name for run in runs]
    for each in found['students'].values():
        assert sum(map(sum, each['counts'])) == found['boxes']
        assert set(each['among_similar']) == {'1', '3', '5'}
    assert {'commit', 'versions', 'hardware', 'date'} <= set(found)
    alone, taught = map(FinishedRun, runs)
    assert found['runs'] == {str(run.work_dir): str(run.checkpoint) for run in (alone, taught)}
    assert found['teacher'] == taught.teacher.checkpoint
    assert cv2.imread(str(tmp_path / 'out' / 'confusion.png')) is not None
    assert f'| {runs[1].name} |' in capsys.readouterr().out


def test_ranking(runs, tmp_path, capsys):
    found = call(tmp_path, 'ranking', *runs, '--images', 2)
    for each in found['students'].values():
        assert -1 <= each['tau'] <= 1 and set(each['topk']) == {'1', '3', '5'}
        for split in ('by_class', 'by_score'):
            assert sum(part['boxes'] for part in each[split]) == each['boxes']
        assert len(each['by_class']) == len(found['classes'])
    assert cv2.imread(str(tmp_path / 'out' / 'ranking.png')) is not None
    assert '| student | tau |' in capsys.readouterr().out


def test_the_teacher_itself_agrees_with_itself(runs, tmp_path):
    found = call(tmp_path, 'ranking', runs[0], runs[1], '--teacher', runs[0])
    assert found['students'][runs[0].name]['tau'] == pytest.approx(1, abs=0.02)
    assert found['students'][runs[0].name]['topk']['1'] == 1
    assert found['teacher'] == str(FinishedRun(runs[0]).checkpoint)


def test_pictures(runs, tmp_path, monkeypatch):
    gains = [(0.2, 0.7), (0.5, 0.5), (0.9, 0.1), (0.0, 1.0)]
    one, other = (run.name for run in runs)
    monkeypatch.setattr(
        'mmdet_kdrank.report.commands.pictures_command.score_images',
        lambda *_: {i: {one: a, other: b} for i, (a, b) in enumerate(gains)},
    )
    found = call(tmp_path, 'pictures', *runs, '--count', 2, '--score', 0)
    assert [each['gain'] for each in found['images']] == pytest.approx([0.5, 0, -0.8, 1])
    better, worse = (
        cv2.imread(str(tmp_path / 'out' / f'{k}.jpg')) for k in ('improved', 'worsened')
    )
    # Two rows against one.
    assert better.shape[0] == pytest.approx(2 * worse.shape[0], rel=0.05)
    assert better.shape[1] == worse.shape[1]


def test_pictures_are_scored_by_both(runs, tmp_path):
    found = call(tmp_path, 'pictures', *runs, '--score', 0)
    assert len(found['images']) == 4 and found['least_score'] == 0
    assert all(0 <= each[run.name] <= 1 for each in found['images'] for run in runs)


def test_runs_without_a_teacher_are_told_to_give_one(trained_run, tmp_path, capsys):
    run = str(trained_run(FASTER))
    assert main(tmp_path, ['confusion', run, run, '--out', str(tmp_path)]) == 1
    assert '--teacher' in capsys.readouterr().err


@pytest.mark.parametrize(('score', 'expected'), [(0.5, 1), (0.75, 0)])
def test_detections_that_are_not_drawn_do_not_count(runs, tmp_path, monkeypatch, score, expected):
    """Every box is found, with a score of 0.5."""
    truths = {each.path: each.truth for each in Validation(FinishedRun(runs[0]).config)}

    def find_all(self, batch):
        (sample,) = batch['data_samples']
        found = truths[sample.img_path].clone()
        found.scores = torch.full((len(found),), 0.5)
        return [DetDataSample(pred_instances=found)]

    monkeypatch.setattr(BaseDetector, 'test_step', find_all)
    found = call(tmp_path, 'pictures', *runs, '--score', score)
    assert len(found['images']) == 4
    assert all(each[run.name] == expected for each in found['images'] for run in runs)


def test_report(runs, tmp_path, capsys):
    arguments = ['report', str(runs[1]), '--images', '0', '--out', str(tmp_path / 'out')]
    assert main(tmp_path, arguments) == 0
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert runs[1].name in page and 'id="pictures"' not in page
    assert 'report.html' in capsys.readouterr().out
