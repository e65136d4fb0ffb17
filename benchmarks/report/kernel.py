"""The table of the Triton kernel's machine code."""

from pathlib import Path

from benchmarks.harness import read_rows
from benchmarks.limit import pair_work
from benchmarks.report.text import digits
from mmdet_kdrank.files.markdown import markdown_table


def instruction_table(results: Path, name: str) -> str:
    """Instructions for an unordered pair, beside those of the bound."""
    return markdown_table(
        ['form', 'visits', 'rows i a pass', 'registers', 'instructions', 'arithmetic', 'bound'],
        [
            [
                row['form'],
                row['visits'],
                row['block_i'],
                row['registers'],
                *(_a_pair(row, column) for column in ('instructions', 'arithmetic')),
                str(sum(pair_work(row['form']))),
            ]
            for row in read_rows(results / name)
        ],
    )


def _a_pair(row: dict[str, str], column: str) -> str:
    visits = 1 if row['visits'] == 'each pair once' else 2
    return digits(visits * float(row[f'{column}_a_visit']))
