"""``analyze.py confusion``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdet_kdrank.files.markdown import markdown_table
from mmdet_kdrank.report.commands.base import (
    add_command,
    logits_of_runs,
    out_folder,
    runs_of,
    write_json,
)
from mmdet_kdrank.report.confusion import confusion_summary, plot_confusion


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``confusion`` to the command line of ``tools/analyze.py``."""
    summary = 'what two students confuse, against what their teacher finds alike'
    parser = add_command(subparsers, 'confusion', summary, run)
    parser.add_argument('--teacher', type=Path, metavar='WORK_DIR', help='of the teacher')


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write JSON and plot; return the exit status."""
    # A folder that cannot be written shows before the images are looked at.
    folder = out_folder(args, 'confusion')
    runs = runs_of(args)
    boxes, teacher = logits_of_runs(args, runs)
    summary = confusion_summary(boxes)
    write_json(folder / 'confusion.json', summary, runs, teacher)
    plot_confusion(summary, folder / 'confusion.png')
    print(_table(summary), f'\nwrote {folder}/confusion.json and confusion.png')
    return 0


def _table(summary: dict) -> str:
    ks = list(summary['chance'])
    header = ['student', 'boxes right', 'errors', *(f"on the teacher's {k} nearest" for k in ks)]
    rows = [
        [
            name,
            f'{100 * student["right"]:.1f} %',
            student['errors'],
            *(f'{100 * student["among_similar"][k]:.1f} %' for k in ks),
        ]
        for name, student in summary['students'].items()
    ]
    chance = (f'{100 * share:.1f} %' for share in summary['chance'].values())
    rows.append(['errors at random', '', '', *chance])
    return markdown_table(header, rows, numbers=True)
