import json

import pytest

from experiments.survey import command
from experiments.survey.command import main
from experiments.survey.outcome import Outcome
from experiments.survey.table import read_rows


class Attempts:
    """In place of processes: everything works but what its test says."""

    tried: list

    def __init__(self, limits):
        Attempts.tried = []

    def run(self, model, imports):
        Attempts.tried.append(model['type'])
        return Outcome('failed', 'for the test') if model['type'] == 'YOLOF' else Outcome('works')


@pytest.fixture
def survey(tmp_path, monkeypatch):
    monkeypatch.setattr(command, 'Attempts', Attempts)
    table, journal = tmp_path / 'page.csv', tmp_path / 'journal.jsonl'

    def run(*arguments):
        options = ['--table', str(table), '--journal', str(journal), *arguments]
        return main(tmp_path, options)

    run.table, run.journal = table, journal
    return run


def test_each_distinct_model_is_tried_once_and_not_again(survey, capsys):
    assert survey('--only', 'ld*/*r18*', '--jobs', '2') == 0
    assert Attempts.tried == ['KnowledgeDistillationSingleStageDetector']
    assert survey('--only', 'ld*/*r18*') == 0
    assert Attempts.tried == []
    assert len(survey.journal.read_text().splitlines()) == 1
    assert capsys.readouterr().out.count('works') == 2
    assert len(read_rows(survey.table)) == 1


def test_a_failure_is_the_exit_status(survey):
    assert survey('--only', 'yolof/*') == 1
    assert json.loads(survey.journal.read_text())['reason'] == 'for the test'


def test_a_family_is_chosen_by_class(survey):
    survey('--only', '[sy]ol[ao]*/*', '--family', 'single-stage with masks')
    assert set(Attempts.tried) == {'SOLO', 'SOLOv2', 'YOLACT'}


def test_the_page_is_written_from_the_table(survey):
    assert survey('--only', 'yolof/*') == 1
    assert {row['detector'] for row in read_rows(survey.table)} == {'YOLOF'}
    assert survey('--report') == 0
    assert '| yolof | YOLOF | YOLOFHead | 2 | for the test |' in (
        survey.table.with_suffix('.md').read_text()
    )
