"""MkDocs hook: formulas become MathML, which browsers draw without a script."""

import html
import re

from latex2mathml.converter import convert

_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_page_content(content: str, **_: object) -> str:
    """Convert what pymdownx.arithmatex has marked."""
    return _FORMULA.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    display = 'inline' if match['tag'] == 'span' else 'block'
    return convert(html.unescape(match['tex']), display=display)
