from benchmarks.report import text


def test_table_is_markdown():
    assert text.table(['a', 'b'], [['1', '2']]) == '| a | b |\n| --- | --- |\n| 1 | 2 |'
