"""Marked blocks of a page: `<!-- NAME -->`, the generated lines, `<!-- end -->`."""

import re
from collections.abc import Callable, Mapping

_BLOCK = re.compile(r'(<!-- (?!end )([a-z0-9_]+) -->\n).*?(?=<!-- end -->)', re.DOTALL)


def fill(page: str, makers: Mapping[str, Callable[[], str]]) -> str:
    """Replace the content of each block.

    Args:
        page: Markdown.
        makers: What to write, by the name of the block.

    Returns:
        The page with all of its blocks replaced.

    Raises:
        ValueError: If a block has no maker.
    """

    def made(match: re.Match[str]) -> str:
        name = match.group(2)
        if name not in makers:
            raise ValueError(f'nothing makes the block {name!r}; known: {", ".join(makers)}.')
        return f'{match.group(1)}{makers[name]()}\n'

    return _BLOCK.sub(made, page)
