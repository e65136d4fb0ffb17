"""Hand-written pages stay short, in MMDetection's words, and true to the layers of the package."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import PAGES, ROOT, name_of, prose

REPORTS = ROOT / 'docs' / 'reports'
WRITTEN = [
    page
    for page in PAGES
    if page == ROOT / 'README.md' or ROOT / 'docs' in page.parents and REPORTS not in page.parents
]
# MMDetection's readers say fix, image and alongside. `tools/analyze.py pictures` is a name.
OTHER_WORDS = re.compile(r'\b(?:mend(?:s|ed)?|pictures?|beside)\b', re.IGNORECASE)


def words(page) -> int:
    return len(page.read_text(encoding='utf-8').split())


@pytest.mark.parametrize('page', WRITTEN, ids=name_of)
def test_page_is_short_and_in_the_words_of_mmdetection(page):
    assert words(page) <= 2000
    assert not OTHER_WORDS.findall(re.sub(r'\(\S*\)', '', prose(page)))


def test_pages_are_short_together():
    assert sum(map(words, WRITTEN)) <= 22000


def test_every_report_opens_with_a_summary():
    for page in REPORTS.glob('*.md'):
        start = page.read_text(encoding='utf-8').split('\n## ')[0]
        for part in ('What was asked', 'What came out', 'What it does not say'):
            assert f'**{part}' in start, f'{page.name}: {part}'


def test_the_architecture_has_the_layers_that_the_linter_holds():
    layers = re.search(
        r'^layers = \[\n(.*?)^\]', (ROOT / 'pyproject.toml').read_text(), re.M | re.S
    )
    linted = [set(re.findall(r'\w+', line)) for line in layers[1].splitlines()]
    page = (ROOT / 'docs/architecture.md').read_text(encoding='utf-8')
    table = page.split('| folder of `mmdet_kdrank/` |')[1].split('\n\n')[0].splitlines()[2:]
    named = [re.findall(r'`(\w+)(?:/|\.py)`', row.split('|')[1]) for row in table]
    assert [set(names) for names in named] == linted


def test_the_reading_order_is_short():
    page = (ROOT / 'docs/architecture.md').read_text(encoding='utf-8')
    section = page.split('## Reading order')[1].split('\n## ')[0]
    files = re.findall(r'^\d+\. `(\S+\.py)`', section, re.MULTILINE)
    assert len(files) >= 5
    assert sum(len((ROOT / 'mmdet_kdrank' / f).read_text().splitlines()) for f in files) <= 1500
