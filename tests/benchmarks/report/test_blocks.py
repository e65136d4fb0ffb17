import pytest

from benchmarks.report.blocks import fill

PAGE = 'before\n<!-- one -->\nold\nlines\n<!-- end -->\nbetween\n<!-- two -->\n<!-- end -->\n'


def test_blocks_are_made_anew_and_the_rest_stays():
    filled = fill(PAGE, {'one': lambda: '1', 'two': lambda: '2'})
    assert filled == (
        'before\n<!-- one -->\n1\n<!-- end -->\nbetween\n<!-- two -->\n2\n<!-- end -->\n'
    )
    assert fill(filled, {'one': lambda: '1', 'two': lambda: '2'}) == filled


def test_a_block_that_nothing_makes_is_refused():
    with pytest.raises(ValueError, match="nothing makes the block 'two'; known: one"):
        fill(PAGE, {'one': lambda: '1'})
