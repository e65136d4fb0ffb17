"""Results as CSV: what was measured, then where."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from benchmarks.harness.environment import environment

Row = Mapping[str, object]


def write_rows(path: Path | str, rows: Iterable[Row], device: str | torch.device = 'cpu') -> None:
    """Write rows, each with the columns of :func:`environment`, in place of the file's old ones.

    Args:
        path: The CSV file; its folder is made.
        rows: Columns by name. Their union, in order of appearance, is the header, and what a row
            lacks or has as None is left empty. Floats are written with six digits.
        device: Where the measured code ran.

    Raises:
        ValueError: If there are no rows, or one has a column of the environment.
    """
    rows = list(rows)
    if not rows:
        raise ValueError(f'there are no rows to write to {path}.')
    origin = environment(device)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if clash := sorted(set(columns) & set(origin)):
        raise ValueError(f'the columns {", ".join(clash)} are filled in from the environment.')
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, [*columns, *origin], lineterminator='\n')
        writer.writeheader()
        for row in rows:
            writer.writerow({**{name: _text(value) for name, value in row.items()}, **origin})


def _text(value: object) -> str:
    if value is None:
        return ''
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def read_rows(path: Path | str) -> list[dict[str, str]]:
    """Read what :func:`write_rows` wrote, every cell as text."""
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))
