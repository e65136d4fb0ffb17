"""The pages of the documentation, as they lie in the repository, and their fenced blocks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / 'README.md',
    ROOT / 'CHANGELOG.md',
    # Those of docs/reports/data/ are copies of reports, as compare.py leaves them.
    *sorted({*(ROOT / 'docs').rglob('*.md')} - {*(ROOT / 'docs/reports/data').rglob('*.md')}),
    *sorted((ROOT / 'examples').rglob('*.md')),
]
_FENCE = re.compile(r'^```(?P<info>[^`\n]*)\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its text, and the line of the page on which that begins, from 1."""

    line: int
    text: str


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, info: str) -> list[Block]:
    """The blocks of a page with an info string, such as ``python``."""
    text = page.read_text(encoding='utf-8')
    return [
        Block(text.count('\n', 0, match.start('text')) + 1, match['text'])
        for match in _FENCE.finditer(text)
        if match['info'] == info
    ]


def prose(page: Path) -> str:
    """A page without its fenced blocks and inline code."""
    return re.sub(r'`[^`\n]+`', '', _FENCE.sub('', page.read_text(encoding='utf-8')))
