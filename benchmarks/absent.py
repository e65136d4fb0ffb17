#!/usr/bin/env python
"""Notes in the results that a GPU was not at hand: `python benchmarks/absent.py "NVIDIA H200"`."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import op
from benchmarks.harness import read_rows, write_rows
from benchmarks.harness.environment import slug
from benchmarks.limit.sizes import FORMS, SIZES
from benchmarks.script import RESULTS


def note_absent(gpu: str, results: Path = RESULTS) -> Path:
    """Write rows without figures for a GPU, unless there are some with figures.

    Args:
        gpu: Its name, as torch gives it.
        results: Folder of the CSV files.

    Returns:
        The file.
    """
    path = results / f'{op.SCRIPT.name}_{slug(gpu)}.csv'
    if path.is_file() and any(row.get('median_s') for row in read_rows(path)):
        return path
    note = 'not run: no GPU was at hand'
    row = {'candidate': 'triton', 'median_s': None, 'low_s': None, 'high_s': None, 'note': note}
    rows = [{'n': n, 'c': c, 'form': form, **row} for n, c in SIZES for form in FORMS]
    write_rows(path, rows, where={'hardware': gpu, 'threads': ''})
    return path


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description='Notes that a GPU was not at hand.')
    parser.add_argument('gpu', help='its name, such as "NVIDIA H200"')
    print(f'wrote {note_absent(parser.parse_args().gpu)}')
