"""``analyze.py report``."""

from __future__ import annotations

import argparse

from mmdet_kdrank.report.commands.output import names_of, out_folder, runs_of
from mmdet_kdrank.report.page import write_page
from mmdet_kdrank.runs.finished_run import add_arguments

_PICTURES = 4


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``report`` to the command line of ``tools/analyze.py``."""
    parser = subparsers.add_parser(
        'report', help='one HTML file about a run, or two, that needs no network'
    )
    add_arguments(parser, second='?')
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Args:
        args: Parsed arguments.

    Returns:
        Exit status.
    """
    runs = runs_of(args)
    path = out_folder(args, 'report') / 'report.html'
    named = dict(zip(names_of(runs), runs, strict=True))
    pictures = _PICTURES if args.images is None else args.images
    write_page(named, path, pictures=pictures, device=args.device)
    print(f'wrote {path}, {path.stat().st_size / 1e6:.1f} MB')
    return 0
