import pytest

from mmdet_kdrank.report.html import BLOCKS, data_uri


def test_text_is_escaped():
    odd = '<b>"&'
    for piece in (
        BLOCKS.folded(odd, odd),
        BLOCKS.table(odd, [odd, odd], [[odd, odd]]),
        BLOCKS.figure(odd, [BLOCKS.image(odd, '')]),
    ):
        assert odd not in piece and '&lt;b&gt;&#34;&amp;' in piece


def test_columns_of_numbers_are_set_to_the_right():
    found = BLOCKS.table('t', ['run', 'a', 'b'], [['x', '-1.5', 'word'], ['y', '', '3']])
    assert found.count('class="number"') == 3 and found.count('<th scope="row">') == 2


def test_a_table_without_rows_is_one():
    assert '<tbody></tbody>' in BLOCKS.table('t', ['run', 'a'], [])


@pytest.mark.parametrize('dark', [None, 'data:dark'])
def test_a_dark_version_is_optional(dark):
    assert ('prefers-color-scheme: dark' in BLOCKS.image('words', 'data:light', dark)) == bool(dark)


def test_an_address_holds_its_file():
    assert data_uri(b'abc', 'image/png') == 'data:image/png;base64,YWJj'
