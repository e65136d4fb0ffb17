from mmdet_kdrank.files.markdown import markdown_table


def test_a_table_is_markdown():
    assert markdown_table(['a', 'b'], [['1', '2']]) == '| a | b |\n| --- | --- |\n| 1 | 2 |'


def test_numbers_are_aligned_to_the_right_of_the_names():
    lines = markdown_table(['run', 'a', 'b'], [['x', 1, 2.5]], numbers=True).splitlines()
    assert lines == ['| run | a | b |', '| --- | ---: | ---: |', '| x | 1 | 2.5 |']


def test_a_bar_in_a_cell_does_not_end_it():
    assert markdown_table(['a'], [['x|y']]).endswith('| x\\|y |')
