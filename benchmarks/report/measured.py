"""Tables of what was measured."""

from pathlib import Path

from benchmarks.candidates import CANDIDATES
from benchmarks.harness import read_rows
from benchmarks.limit.sizes import FORMS
from benchmarks.report.text import digits, memory, percent, seconds, times
from mmdet_kdrank.files.markdown import markdown_table


def origin(results: Path, name: str) -> str:
    """Where and when the rows of a file were measured, in a sentence."""
    row = read_rows(results / name)[0]
    versions = [f'{package} {row[package]}' for package in ('python', 'torch', 'triton')]
    where = f'{row["hardware"]}, {row["threads"]} threads' if row['threads'] else row['hardware']
    return f'`{name}`: {row["date"]}, commit {row["commit"]}, {where}; {", ".join(versions)}.'


def op_table(results: Path, name: str) -> str:
    """Return a table of every candidate and the reference, at each size, in both forms."""
    rows = [row for row in read_rows(results / name) if row['speedup']]
    by_key = {(*_size(row), row['candidate'], row['form']): row for row in rows}
    cells = ('time', 'faster', 'memory', 'of bound')
    return markdown_table(
        ['N', 'C', 'rows', 'candidate', *(f'{form}: {c}' for form in FORMS for c in cells)],
        [
            [*key, *(cell for form in FORMS for cell in _op_cells(by_key.get((*key, form))))]
            for key in dict.fromkeys(key[:-1] for key in by_key)
        ],
    )


def _op_cells(row: dict[str, str] | None) -> list[str]:
    if row is None:
        return ['-'] * 4
    spread = f'{seconds(row["low_s"])} to {seconds(row["high_s"])}'
    return [
        f'{seconds(row["median_s"])} ({spread})',
        times(row['speedup']),
        f'{memory(row["peak_extra_bytes"])} ({percent(row["memory_share"])})',
        percent(row['bound_share']),
    ]


def expect_table(results: Path, name: str) -> str:
    """Return the backends on all rows: what a user may expect."""
    return markdown_table(
        ['N', 'C', 'form', 'backend', 'time', 'memory', 'of bound'],
        [
            [
                *_size(row)[:2],
                row['form'],
                row['candidate'],
                seconds(row['median_s']),
                memory(row['peak_extra_bytes']),
                percent(row['bound_share']),
            ]
            for row in read_rows(results / name)
            if row['median_s'] and row['rows'] == row['n'] and _is_lean_backend(row)
        ],
    )


def _is_lean_backend(row: dict[str, str]) -> bool:
    candidate = CANDIDATES.get(row['candidate'])
    return row['candidate'] != 'torchsort' and candidate is not None and not candidate.holds_pairs


def left_out(results: Path, name: str) -> str:
    """Return what could not run, and why; nothing measured is among it."""
    reasons = {
        row['candidate']: row['note'].removeprefix('not run: ')
        for row in read_rows(results / name)
        if row['note'] and not row['median_s']
    }
    if not reasons:
        return 'Every candidate ran.'
    return '\n'.join(f'- {candidate}: {reason}' for candidate, reason in reasons.items())


def evaluation_table(results: Path, name: str) -> str:
    """Return a table of the hard coefficient's time and scipy's."""
    return markdown_table(
        ['C', 'rows', 'candidate', 'time', 'faster'],
        [
            [row['c'], row['rows'], row['candidate'], seconds(row['median_s'])]
            + [times(row['speedup'])]
            for row in read_rows(results / name)
        ],
    )


def range_table(results: Path, name: str) -> str:
    """Time against the standard deviation of the logits."""
    rows = [row for row in read_rows(results / name) if row['axis'] == 'scale' and row['median_s']]
    scales = list(dict.fromkeys(row['scale'] for row in rows))
    median = {(row['candidate'], row['scale']): row['median_s'] for row in rows}
    candidates = dict.fromkeys(row['candidate'] for row in rows)
    return markdown_table(
        ['candidate', *(f'std {digits(float(scale))}' for scale in scales)],
        [[c, *(seconds(median[c, scale]) for scale in scales)] for c in candidates],
    )


def _size(row: dict[str, str]) -> tuple[str, str, str]:
    return f'{int(row["n"]):,}', row['c'], f'{int(row["rows"]):,}'
