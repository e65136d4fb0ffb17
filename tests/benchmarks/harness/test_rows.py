import pytest

from benchmarks.harness import environment, read_rows, write_rows


def test_rows_come_back_with_their_environment(tmp_path):
    path = tmp_path / 'new' / 'a.csv'
    write_rows(path, [{'n': 8, 'time_s': 1.23456789e-5}, {'n': 9, 'note': 'a, "b"'}])
    first, second = read_rows(path)
    origin = environment()
    assert first == {'n': '8', 'time_s': '1.23457e-05', 'note': '', **origin}
    assert second == {'n': '9', 'time_s': '', 'note': 'a, "b"', **origin}


def test_new_rows_replace_old_ones(tmp_path):
    path = tmp_path / 'a.csv'
    write_rows(path, [{'n': 1}, {'n': 2}])
    write_rows(path, [{'m': None}])
    assert [row['m'] for row in read_rows(path)] == ['']


@pytest.mark.parametrize(
    ('rows', 'message'),
    [([], 'no rows to write'), ([{'torch': '1'}], 'columns torch are filled in')],
)
def test_what_makes_no_table_is_refused(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        write_rows(tmp_path / 'a.csv', rows)
