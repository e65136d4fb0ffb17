"""docs/reports/performance.md says what the CSV files say."""

import re

from benchmarks.limit import H200, work
from benchmarks.report.blocks import fill
from benchmarks.script import RESULTS
from benchmarks.tables import PAGE, makers, write


def test_the_page_agrees_with_the_committed_results():
    page = PAGE.read_text()
    assert fill(page, makers(RESULTS)) == page, 'run python benchmarks/tables.py'


def test_every_table_of_figures_is_made():
    outside = re.sub(r'<!-- \w+ -->\n.*?<!-- end -->', '', PAGE.read_text(), flags=re.DOTALL)
    assert not re.search(r'^\|', outside, re.MULTILINE)


def test_writing_again_changes_nothing(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(PAGE.read_text())
    assert write(RESULTS, page).read_text() == PAGE.read_text()


def test_the_prose_has_the_machine_of_the_bound():
    prose = ' '.join(PAGE.read_text().split())
    assert f'{H200.multiprocessors} multiprocessors at {H200.clock_hz / 1e9:g} GHz' in prose
    assert f'{H200.lanes} float32 lanes' in prose
    assert f'{H200.special_lanes} lanes for exponentials and reciprocals' in prose
    assert f'{H200.bytes_per_s / 1e12:g} TB/s' in prose
    assert '4 N (3 C + 1) bytes' in prose
    assert work(10, 7).bytes == 4 * 10 * (3 * 7 + 1)
