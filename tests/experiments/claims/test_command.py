import json
from dataclasses import replace

import pytest

from experiments.claims import command, landscape
from experiments.claims.claim import Check, Claim
from experiments.claims.npz import save_logits
from experiments.claims.page import page_of
from mmdet_kdrank.report import command as cli
from tests.experiments.claims.sets import ROOT, SETS

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
    assert cli.main(ROOT, ['claims', '--random', '--out', str(tmp_path)], extra=(command,)) == 0
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
    assert (
        cli.main(ROOT, ['claims', '--logits', str(path), '--out', str(tmp_path)], extra=(command,))
        == 0
    )
    assert measured == ['foreground', 'random']


@pytest.mark.slow
@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_everything_is_measured_drawn_and_written(monkeypatch, tmp_path, activation):
    for claim in (command.optima, command.agreement, command.rebalance, command.steepness):
        monkeypatch.setattr(claim, 'STEPS', 5)
    monkeypatch.setattr(landscape, '_STEPS', 5)
    sets = [replace(logits.first(8), activation=activation) for logits in SETS]
    monkeypatch.setattr(command, 'real_logits', lambda args: (sets[:2], {'source': 'a test'}))
    assert cli.main(ROOT, ['claims', '--out', str(tmp_path)], extra=(command,)) == 0
    claims = json.loads((tmp_path / 'data' / 'claims.json').read_text())['claims']
    assert len({claim['key'] for claim in claims}) == len(claims) == 8
    assert all(claim['checks'] and claim['limits'] for claim in claims)
    assert ('binary KD, T = 1' in str(claims)) == (activation == 'sigmoid')
    assert len(list((tmp_path / 'images').iterdir())) == len(claims)
