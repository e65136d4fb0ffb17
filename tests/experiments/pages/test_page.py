"""docs/reports/experiments.md and the README say what the results say."""

import re

import pytest

from benchmarks.report.blocks import fill
from experiments.pages.page import PAGES, final_results, makers, read_results, write

FOUND = read_results()


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_the_pages_agree_with_the_committed_results(page):
    text = page.read_text(encoding='utf-8')
    assert fill(text, makers(FOUND)) == text, 'run python experiments/pages/page.py'


def test_every_committed_result_is_on_the_page():
    page = PAGES[0].read_text(encoding='utf-8')
    assert FOUND
    for name in FOUND:
        slug = name.replace('-', '_')
        for part in ('variants', 'pairs', 'origin'):
            assert f'<!-- {slug}_{part} -->' in page


def test_no_figure_of_a_table_is_written_by_hand():
    page = PAGES[0].read_text(encoding='utf-8')
    outside = re.sub(r'<!-- \w+ -->\n.*?<!-- end -->', '', page, flags=re.DOTALL)
    assert not re.search(r'^\|.*±', outside, re.MULTILINE)


def test_the_summary_has_every_variant_of_the_final_plans():
    rows = makers(FOUND)['evidence']().splitlines()
    names = {row.split(' | ')[0].strip('| ') for row in rows[2:]}
    shown_results = final_results(FOUND).values()
    assert names == {variant for results in shown_results for variant in results['variants']}


def test_writing_again_changes_nothing(tmp_path):
    copies = []
    for page in PAGES:
        copies.append(tmp_path / page.name)
        copies[-1].write_text(page.read_text(encoding='utf-8'), encoding='utf-8')
    write(FOUND, tuple(copies))
    for page, copy in zip(PAGES, copies, strict=True):
        assert copy.read_text(encoding='utf-8') == page.read_text(encoding='utf-8')
