"""Tables of the paper bound, and of the kernel's machine code alongside it."""

from pathlib import Path

from benchmarks.harness import read_rows
from benchmarks.limit import pair_work
from benchmarks.limit.sizes import FORMS, SIZES
from benchmarks.report.text import count, digits, memory, seconds
from mmdet_kdrank.files.markdown import markdown_table


def pair_table() -> str:
    """Return what an unordered pair takes, each once or in both orders."""
    return markdown_table(
        ['form', 'pairs are visited', 'additions', 'multiply-adds', 'reciprocals', 'sum'],
        [
            [form, visits, *map(str, pair_work(form, once)), str(sum(pair_work(form, once)))]
            for form in FORMS
            for visits, once in (('once', True), ('in both orders', False))
        ],
    )


def work_table(results: Path) -> str:
    """Return what must be done at each size."""
    multiplications = {
        (row['n'], row['c'], row['form']): count(row['multiplications'])
        for row in read_rows(results / 'bound_cpu.csv')
    }
    return markdown_table(
        [
            *('N', 'C', 'stands for', 'bytes', 'exponentials', 'reciprocals', 'additions'),
            *(f'multiply-adds, {form}' for form in FORMS),
        ],
        [
            [
                *_size(row),
                SIZES[int(row['n']), int(row['c'])],
                memory(row['bytes']),
                count(row['exponentials']),
                count(row['reciprocals']),
                count(row['additions']),
                *(multiplications[row['n'], row['c'], form] for form in FORMS),
            ]
            for row in _rows_of(results, 'this CPU, calibrated')
            if row['form'] == FORMS[0]
        ],
    )


def bound_table(results: Path) -> str:
    """How long that takes at least, by unit, on a CPU and on an H200."""
    pairs = zip(
        _rows_of(results, 'this CPU, calibrated'),
        _rows_of(results, 'NVIDIA H200, datasheet'),
        strict=True,
    )
    return markdown_table(
        [
            *('N', 'C', 'form', 'CPU: memory', 'arithmetic', 'bound', 'in both orders'),
            *('H200: memory', 'special', 'arithmetic', 'bound', 'in both orders'),
        ],
        [
            [
                *_size(cpu),
                cpu['form'],
                *_units(cpu, ('memory_s', 'arithmetic_s')),
                *_units(gpu, ('memory_s', 'special_s', 'arithmetic_s')),
            ]
            for cpu, gpu in pairs
        ],
    )


def _units(row: dict[str, str], columns: tuple[str, ...]) -> list[str]:
    bound, ordered = (seconds(row[column]) for column in ('bound_s', 'ordered_s'))
    return [*(seconds(row[column]) for column in columns), f'**{bound}**', ordered]


def _rows_of(results: Path, machine: str) -> list[dict[str, str]]:
    return [row for row in read_rows(results / 'bound_cpu.csv') if row['machine'] == machine]


def rates(results: Path) -> str:
    """Return the rates behind the bound of the CPU, in a sentence."""
    row = read_rows(results / 'bound_cpu.csv')[0]
    adds, moved = (float(row[name]) / 1e9 for name in ('multiply_adds_per_s', 'bytes_per_s'))
    return (
        f'On {row["date"]}, {row["hardware"]} with {row["threads"]} threads: {digits(adds)} G '
        f'multiply-adds/s and {digits(moved)} GB/s.'
    )


def _size(row: dict[str, str]) -> tuple[str, str]:
    return f'{int(row["n"]):,}', row['c']


def instruction_table(results: Path, name: str) -> str:
    """Return the instructions per unordered pair, and those of the bound."""
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
