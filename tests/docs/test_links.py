"""Links, anchors and images of the pages as GitHub reads them, and the site's navigation."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import PAGES, ROOT, name_of, prose

LINK = re.compile(r'\]\(([^)\s]+)\)')
# A file of the repository that a page names in inline code.
FILE = re.compile(r'`((?:benchmarks|experiments|mmdet_kdrank|tests|tools)/[a-z0-9_/.-]+\.\w+)`')
HEADING = re.compile(r'^#+ +(.+?) *$', re.MULTILINE)


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, which names Python objects, without importing them."""


_Loader.add_multi_constructor('tag:yaml.org,2002:python/', lambda loader, suffix, node: suffix)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Anchors that GitHub gives the headings of a page."""
    seen: Counter[str] = Counter()
    slugs = set()
    # Headings keep the text of their inline code, so that blocks alone are taken out.
    text = re.sub(r'^```.*?^```$', '', page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in HEADING.findall(text):
        shown = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading)
        slug = re.sub(r'[^\w\- ]', '', shown.lower()).replace(' ', '-')
        slugs.add(f'{slug}-{seen[slug]}' if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(slugs)


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_internal_links_lead_somewhere(page):
    broken = []
    for target in LINK.findall(prose(page)):
        if re.match(r'[a-z]+:', target):
            continue
        path, _, anchor = target.partition('#')
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or ROOT not in file.parents or anchor and anchor not in anchors(file):
            broken.append(target)
    assert not broken


def test_the_check_of_links_would_find_a_broken_one():
    assert 'which-rows-correspond' in anchors(ROOT / 'docs/explanation/class_logits.md')
    assert 'which-rows-do-not' not in anchors(ROOT / 'docs/explanation/class_logits.md')
    assert sum(len(LINK.findall(prose(page))) for page in PAGES) > 50


@pytest.mark.parametrize('page', [p for p in PAGES if p.stem != 'CHANGELOG'], ids=name_of)
def test_files_that_a_page_names_exist(page):
    named = FILE.findall(page.read_text(encoding='utf-8'))
    assert not [file for file in named if not (ROOT / file).exists()]


def entries(nav) -> list[str]:
    """The pages that a navigation lists."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in entries(part)]


def test_navigation_lists_every_page_once():
    settings = yaml.load((ROOT / 'mkdocs.yml').read_text(), _Loader)
    listed = entries(settings['nav'])
    wanted = [name_of(page).removeprefix('docs/') for page in PAGES if page.name != 'README.md']
    wanted += ['index.md', *(name_of(page) for page in PAGES[1:] if page.name == 'README.md')]
    assert Counter(listed) == Counter(wanted), 'mkdocs.yml: nav lists the pages of the site'


def test_the_reference_has_every_public_object():
    """A new loss, selector, distiller or hook is documented by being exported."""
    written = '\n'.join(page.read_text() for page in (ROOT / 'docs/reference').glob('*.md'))
    documented = set(re.findall(r'^::: mmdet_kdrank\.(\w+)\.(?:\w+\.)*(\w+)$', written, re.M))
    from mmdet_kdrank import distillers, hooks, losses, ops

    for module in (distillers, hooks, losses, ops):
        public = {name for name in module.__all__ if not name.isupper()}
        package = module.__name__.rpartition('.')[2]
        assert public <= {name for where, name in documented if where == package}
