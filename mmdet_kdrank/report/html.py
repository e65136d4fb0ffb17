"""Pieces of HTML: everything that goes in as text comes out escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape


def data_uri(content: bytes, kind: str) -> str:
    """Return a file as an address that holds it; ``kind`` is its media type."""
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'


def section(name: str, title: str, *parts: str) -> str:
    """Return a part of the page that its navigation leads to."""
    body = '\n'.join(parts)
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>\n{body}</section>'
    )


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column names its rows; numbers are set to the right.

    On a narrow screen it scrolls by itself, by the keyboard too.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    kinds = ['number' if _numeric(column) else 'text' for column in columns]
    head = ''.join(
        f'<th scope="col" class="{kind}">{escape(text)}</th>'
        for kind, text in zip(kinds, header, strict=True)
    )
    lines = []
    for first, *rest in rows:
        cells = ''.join(
            f'<td class="{kind}">{escape(text)}</td>'
            for kind, text in zip(kinds[1:], rest, strict=True)
        )
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f'<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f'<tbody>{"".join(lines)}</tbody></table></div>'
    )


def image(alternative: str, light: str, dark: str | None = None) -> str:
    """Return a picture by its address, with another one for dark screens where there is one."""
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">' if dark else ''
    return f'<picture>{source}<img src="{light}" alt="{escape(alternative)}"></picture>'


def figure(caption: str, *images: str) -> str:
    """Pictures with one caption, beside each other where there is room."""
    kind = ' class="grid"' if len(images) > 1 else ''
    words = f'<figcaption>{escape(caption)}</figcaption>'
    return f'<figure><div{kind}>{"".join(images)}</div>{words}</figure>'


def folded(title: str, text: str) -> str:
    """Return a long text that opens when asked for."""
    return f'<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>'


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f'<p>{escape(text)}</p>'


def _numeric(column: Sequence[str]) -> bool:
    cells = [cell for cell in column if cell]
    return bool(cells) and all(cell.lstrip('+-−').replace('.', '', 1).isdigit() for cell in cells)
