import json

import pytest

from mmdet_kdrank.analysis import cli
from mmdet_kdrank.analysis.claims import command
from mmdet_kdrank.analysis.claims.claim import Check, Claim
from mmdet_kdrank.analysis.claims.npz import save_logits
from mmdet_kdrank.analysis.claims.page import page_of
from tests.analysis.claims.sets import ROOT, SETS

CLAIM = Claim('plug_and_play', 'A claim.', 'a source', [Check('zero', 0, '<=', 0)], 'Limits.')


@pytest.fixture
def measured(monkeypatch):
    """Which sets were measured; the measuring itself is the other tests'."""
    seen = []

    def measure(sets, root):
        seen.extend(logits.name for logits in sets)
        yield CLAIM

    monkeypatch.setattr(command, 'measured', measure)
    monkeypatch.setattr(command, 'draw_landscapes', lambda sets, path: None)
    return seen


def test_page_and_data_are_written(tmp_path, measured, capsys):
    assert cli.main(ROOT, ['claims', '--random', '--out', str(tmp_path)]) == 0
    assert measured == ['random']
    record = json.loads((tmp_path / 'data' / 'claims.json').read_text())
    assert record['claims'] == [CLAIM.record()]
    assert record['logits'] == {'source': 'random logits alone'}
    assert {'date', 'hardware', 'versions', 'commit', 'seed'} <= record.keys()
    assert (tmp_path / 'claims.md').read_text() == page_of(record)
    assert capsys.readouterr().out.splitlines()[0].split() == ['holds', 'A', 'claim.']


def test_logits_of_a_file_come_before_random_ones(tmp_path, measured):
    path = tmp_path / 'logits.npz'
    made = {'source': 'a test', 'rows': {'foreground': 60}, 'seed': 0}
    made |= {'student': 'none', 'teacher': 'none'}
    save_logits(path, SETS[:1], made)
    assert cli.main(ROOT, ['claims', '--logits', str(path), '--out', str(tmp_path)]) == 0
    assert measured == ['foreground', 'random']


@pytest.mark.slow
def test_everything_is_measured(monkeypatch):
    for claim in (command.optima, command.agreement, command.rebalance, command.steepness):
        monkeypatch.setattr(claim, 'STEPS', 5)
    claims = list(command.measured([logits.first(8) for logits in SETS], ROOT))
    assert len({claim.key for claim in claims}) == len(claims) == 8
    for claim in claims:
        record = json.loads(json.dumps(claim.record()))
        assert record['checks']
        assert record['limits']
