import json

from experiments.survey import journal
from experiments.survey.journal import Journal
from experiments.survey.outcome import Outcome

OUTCOME = Outcome('refused', 'because', 1.5)


def test_what_was_tried_is_found_again(tmp_path):
    path = tmp_path / 'new' / 'survey.jsonl'
    Journal(path).add('key', OUTCOME)
    again = Journal(path)
    assert again.outcome('key') == OUTCOME
    assert again.outcome('other') is None
    assert again.origin_of('key') == again.origin


def test_what_was_tried_with_other_sources_or_versions_is_not(tmp_path, monkeypatch):
    path = tmp_path / 'survey.jsonl'
    Journal(path).add('key', OUTCOME)
    monkeypatch.setattr(journal, 'sources_digest', lambda: 'changed')
    assert Journal(path).outcome('key') is None
    monkeypatch.undo()
    entry = json.loads(path.read_text())
    path.write_text(json.dumps(entry | {'torch': '1.0'}) + '\n')
    assert Journal(path).outcome('key') is None


def test_another_day_changes_nothing(tmp_path):
    path = tmp_path / 'survey.jsonl'
    Journal(path).add('key', OUTCOME)
    entry = json.loads(path.read_text()) | {'date': '2001-01-01'}
    path.write_text(json.dumps(entry) + '\n')
    assert Journal(path).outcome('key') == OUTCOME
    assert Journal(path).origin_of('key')['date'] == '2001-01-01'
