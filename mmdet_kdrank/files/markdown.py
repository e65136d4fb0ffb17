"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], numbers: bool = False
) -> str:
    r"""Lay out a table.

    Args:
        header: Titles of the columns.
        rows: Cells of each row; ``|`` in them is escaped.
        numbers: Whether all columns but the first are aligned to the right.

    Returns:
        Lines without a line end after the last one.

    Example:
        >>> print(markdown_table(['run', 'mAP'], [['a|b', 1.5]], numbers=True))
        | run | mAP |
        | --- | ---: |
        | a\|b | 1.5 |
    """
    rules = ['---', *['---:' if numbers else '---'] * (len(header) - 1)]
    cells = [[str(cell).replace('|', '\\|') for cell in row] for row in (header, *rows)]
    return '\n'.join(f'| {" | ".join(row)} |' for row in (cells[0], rules, *cells[1:]))
