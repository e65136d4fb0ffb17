"""``analyze.py report``."""

from __future__ import annotations

import argparse

from mmdet_kdrank.report.commands.base import add_command, out_folder, runs_of
from mmdet_kdrank.report.page import write_page

_IMAGES = 4


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``report`` to the command line of ``tools/analyze.py``."""
    summary = 'one HTML file about a run, or two, that needs no network'
    add_command(subparsers, 'report', summary, run, second='?')


def run(args: argparse.Namespace) -> int:
    """Write the page; return the exit status."""
    path = out_folder(args, 'report') / 'report.html'
    images = _IMAGES if args.images is None else args.images
    write_page(runs_of(args), path, images=images, device=args.device)
    print(f'wrote {path}, {path.stat().st_size / 1e6:.1f} MB')
    return 0
