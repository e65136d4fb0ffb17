"""``analyze.py confusion``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdet_kdrank.files.markdown import markdown_table
from mmdet_kdrank.report.commands.output import names_of, out_folder, runs_of, write_json
from mmdet_kdrank.report.confusion import confusion_summary
from mmdet_kdrank.report.heatmaps import plot_confusion
from mmdet_kdrank.runs.box_logits import box_logits
from mmdet_kdrank.runs.finished_run import add_arguments, find_teacher, load
from mmdet_kdrank.runs.validation import Validation


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``confusion`` to the command line of ``tools/analyze.py``."""
    parser = subparsers.add_parser(
        'confusion', help='what two students confuse, against what their teacher finds alike'
    )
    add_arguments(parser)
    parser.add_argument('--teacher', type=Path, metavar='WORK_DIR', help='of the teacher')
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write JSON and plot.

    Args:
        args: Parsed arguments.

    Returns:
        Exit status.
    """
    runs = runs_of(args)
    teacher = load(find_teacher(runs, args.teacher), args.device)
    students = {n: r.load(args.device) for n, r in zip(names_of(runs), runs, strict=True)}
    validation = Validation(runs[0].config, args.images)
    summary = confusion_summary(box_logits(students, teacher, validation))
    folder = out_folder(args, 'confusion')
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
            f'{100 * found["right"]:.1f} %',
            str(found['errors']),
            *(f'{100 * found["among_similar"][k]:.1f} %' for k in ks),
        ]
        for name, found in summary['students'].items()
    ]
    rows.append(
        [
            'errors at random',
            '',
            '',
            *(f'{100 * share:.1f} %' for share in summary['chance'].values()),
        ]
    )
    return markdown_table(header, rows, numbers=True)
