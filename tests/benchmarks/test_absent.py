from datetime import datetime, timezone

from benchmarks.absent import note_absent
from benchmarks.harness import read_rows, write_rows


def test_a_gpu_that_was_not_there_has_dated_rows_without_figures(tmp_path):
    path = note_absent('NVIDIA H200', tmp_path)
    assert path.name == 'op_h200.csv'
    rows = read_rows(path)
    assert len(rows) == 10
    for row in rows:
        assert row['hardware'] == 'NVIDIA H200'
        assert row['date'] == datetime.now(timezone.utc).date().isoformat()
        assert row['median_s'] == ''
        assert row['note'] == 'not run: no GPU was at hand'


def test_figures_are_kept(tmp_path):
    write_rows(tmp_path / 'op_h200.csv', [{'median_s': 1e-5}], where={'hardware': 'NVIDIA H200'})
    note_absent('NVIDIA H200', tmp_path)
    assert read_rows(tmp_path / 'op_h200.csv')[0]['median_s'] == '1e-05'
