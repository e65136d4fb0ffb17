"""Tables of rows that were measured on paper."""

import pytest

from benchmarks.harness import environment, write_rows
from benchmarks.report import measured

SIZE = {'n': 1024, 'c': 81, 'form': 'kendall', 'mode': 'eager'}
TIMING = {'low_s': 1e-3, 'high_s': 4e-3, 'rounds': 7, 'peak_extra_bytes': 2_000_000}


@pytest.fixture
def results(tmp_path, monkeypatch):
    full = {**SIZE, **TIMING, 'rows': 1024, 'bound_share': 0.25}
    rows = [
        {**full, 'candidate': 'reference', 'median_s': 0.02, 'speedup': 1.0, 'memory_share': 1.0},
        {**full, 'candidate': 'chunked', 'median_s': 0.002, 'speedup': 10.0, 'memory_share': 0.05},
        {**full, 'candidate': 'chunked', 'median_s': 0.5, 'n': 9000, 'rows': 9000},
        {**SIZE, 'rows': 1024, 'candidate': 'triton', 'note': 'not run: no GPU'},
    ]
    machine = {**environment(), 'hardware': 'an abacus', 'threads': '2'}
    monkeypatch.setattr('benchmarks.harness.rows.environment', lambda device: machine)
    write_rows(tmp_path / 'op.csv', rows)
    return tmp_path


def lines(table):
    return table.splitlines()[2:]


def test_candidates_stand_beside_the_reference(results):
    none = '- | - | - | -'
    assert lines(measured.op_table(results, 'op.csv')) == [
        '| 1,024 | 81 | 1,024 | reference | 20 ms (1 ms to 4 ms) | 1x | 2 MB (100 %) | 25 % '
        f'| {none} |',
        '| 1,024 | 81 | 1,024 | chunked | 2 ms (1 ms to 4 ms) | 10x | 2 MB (5 %) | 25 % '
        f'| {none} |',
    ]


def test_a_user_expects_what_the_backends_do_on_all_rows(results):
    assert lines(measured.expect_table(results, 'op.csv')) == [
        '| 1,024 | 81 | kendall | chunked | 2 ms | 2 MB | 25 % |',
        '| 9,000 | 81 | kendall | chunked | 500 ms | 2 MB | 25 % |',
    ]


def test_what_was_left_out_says_why(results):
    assert measured.left_out(results, 'op.csv') == '- triton: no GPU'


def test_origin_names_the_machine(results):
    assert 'an abacus, 2 threads; python 3.' in measured.origin(results, 'op.csv')
