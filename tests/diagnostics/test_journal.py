import pytest

from mmdet_kdrank.diagnostics.journal import append, read_diagnostics


def test_the_later_run_counts_and_a_line_being_written_does_not(tmp_path):
    for name in ('20260101_110000', '20260102_000000'):
        (tmp_path / name).mkdir()
    append(tmp_path / '20260101_110000', 50, dict(tau=0.1))
    append(tmp_path / '20260101_110000', 100, dict(tau=0.2, top1=0.5))
    append(tmp_path / '20260102_000000', 100, dict(tau=0.3))
    with (tmp_path / '20260102_000000' / 'diagnostics.jsonl').open('a') as file:
        file.write('{"step": 150, "ta')
    assert read_diagnostics(tmp_path) == [dict(step=50, tau=0.1), dict(step=100, tau=0.3)]
    assert read_diagnostics(tmp_path / 'missing') == []


def test_what_json_has_no_word_for_is_refused(tmp_path):
    with pytest.raises(ValueError):
        append(tmp_path, 1, dict(tau=float('nan')))
