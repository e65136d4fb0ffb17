import doctest

from benchmarks.report import text


def test_examples_of_the_docstrings():
    failed, tried = doctest.testmod(text)
    assert failed == 0
    assert tried > 4


def test_table_is_markdown():
    assert text.table(['a', 'b'], [['1', '2']]) == '| a | b |\n| --- | --- |\n| 1 | 2 |'
