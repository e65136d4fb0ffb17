"""Pieces of HTML, from templates that escape every text put into them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / 'templates'),
    autoescape=True,
    undefined=StrictUndefined,
)


def data_uri(content: bytes, kind: str) -> str:
    """Return a file as an address that holds it; ``kind`` is its media type."""
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'


def _column_kinds(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the CSS class of each column; columns of numbers are aligned to the right."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    return ['number' if _numeric(column) else 'text' for column in columns]


def _numeric(column: Sequence[str]) -> bool:
    cells = [cell for cell in column if cell]
    return bool(cells) and all(cell.lstrip('+-−').replace('.', '', 1).isdigit() for cell in cells)


TEMPLATES.filters['column_kinds'] = _column_kinds
BLOCKS = TEMPLATES.get_template('blocks.html').module
"""``table``, ``image``, ``figure``, ``folded`` and ``paragraph`` as functions."""
