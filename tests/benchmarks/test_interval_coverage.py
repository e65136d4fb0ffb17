import numpy as np

from benchmarks.harness import read_rows
from benchmarks.interval_coverage import KINDS, SCRIPT, SPREADS, simulate
from benchmarks.script import RESULTS, ROOT, main


def test_script_has_a_row_for_each_interval_and_cause(tmp_path):
    assert main([SCRIPT], ['--quick', '--out', str(tmp_path)]) == 0
    rows = read_rows(tmp_path / 'interval_coverage_cpu.csv')
    assert {(row['difference'], row['interval']) for row in rows} == {
        (name, kind) for name in SPREADS for kind in KINDS
    }
    assert all(0 <= float(row['coverage']) <= 1 for row in rows)


def test_without_any_spread_the_truth_is_always_held():
    measured_rows = simulate((0.0, 0.0, 0.0), seeds=2, images=5, trials=3, resamples=10)
    for each in measured_rows.values():
        np.testing.assert_allclose(each['width'], 0, atol=1e-12)


def test_experiments_are_the_same_each_time():
    one, other = (simulate((1.0, 1.0, 1.0), 3, 10, trials=4, resamples=20) for _ in range(2))
    for kind in KINDS:
        np.testing.assert_array_equal(one[kind]['width'], other[kind]['width'])


def test_page_shows_the_measured_coverage():
    rows = read_rows(RESULTS / 'interval_coverage_cpu.csv')
    measured = {
        (row['difference'].removesuffix(' differ'), row['seeds'], row['interval']): row
        for row in rows
    }
    page = (ROOT / 'docs' / 'reports' / 'checks.md').read_text(encoding='utf-8')
    table = page.split('| what differs |')[1].split('\n\n')[0].splitlines()[2:]
    assert len(table) == 16
    for line in table:
        cause, seeds, *shown, tail = (cell.strip() for cell in line.strip('|').split('|'))
        measured_rows = [measured[cause, seeds, kind] for kind in KINDS]
        assert shown == [f'{float(each["coverage"]):.3f}' for each in measured_rows]
        assert tail == f'{float(measured[cause, seeds, "quoted"]["p_below_0.0025"]):.4f}'
