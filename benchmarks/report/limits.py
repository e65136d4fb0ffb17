"""Tables of the paper bound."""

from pathlib import Path

from benchmarks.harness import read_rows
from benchmarks.limit import pair_work
from benchmarks.limit.sizes import FORMS, SIZES
from benchmarks.report.text import count, digits, memory, seconds, table


def pair_table() -> str:
    """What an unordered pair takes, each once or in both orders."""
    return table(
        ['form', 'pairs are visited', 'additions', 'multiply-adds', 'reciprocals', 'sum'],
        [
            [form, visits, *map(str, pair_work(form, once)), str(sum(pair_work(form, once)))]
            for form in FORMS
            for visits, once in (('once', True), ('in both orders', False))
        ],
    )


def work_table(results: Path) -> str:
    """What must be done at each size."""
    first, *_ = rows = read_rows(results / 'bound_cpu.csv')
    return table(
        [
            *('N', 'C', 'stands for', 'form', 'bytes', 'exponentials', 'reciprocals'),
            *('additions', 'multiply-adds'),
        ],
        [
            [
                *_size(row),
                SIZES[int(row['n']), int(row['c'])],
                row['form'],
                memory(row['bytes']),
                count(row['exponentials']),
                count(row['reciprocals']),
                count(row['additions']),
                count(row['multiplications']),
            ]
            for row in rows
            if row['machine'] == first['machine']
        ],
    )


def bound_table(results: Path) -> str:
    """How long that takes at least, by unit, on each machine."""
    return table(
        [
            *('machine', 'N', 'C', 'form', 'memory', 'special functions', 'arithmetic'),
            *('bound', 'each ordered pair'),
        ],
        [
            [
                row['machine'],
                *_size(row),
                row['form'],
                seconds(row['memory_s']),
                seconds(row['special_s']),
                seconds(row['arithmetic_s']),
                f'**{seconds(row["bound_s"])}**',
                seconds(row['ordered_s']),
            ]
            for row in read_rows(results / 'bound_cpu.csv')
        ],
    )


def rates(results: Path) -> str:
    """The rates behind the bound of the CPU, in a sentence."""
    row = read_rows(results / 'bound_cpu.csv')[0]
    adds, moved = (float(row[name]) / 1e9 for name in ('multiply_adds_per_s', 'bytes_per_s'))
    return (
        f'On {row["date"]}, {row["hardware"]} with {row["threads"]} threads: {digits(adds)} G '
        f'multiply-adds/s and {digits(moved)} GB/s.'
    )


def _size(row: dict[str, str]) -> tuple[str, str]:
    return f'{int(row["n"]):,}', row['c']
