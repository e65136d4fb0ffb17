"""``analyze.py claims``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .random import random_logits


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``claims`` to the command line of ``tools/analyze.py``."""
    parser = subparsers.add_parser(
        'claims', help='the claims made for the ranking loss, each with a number and a plot'
    )
    parser.add_argument('--seed', type=int, default=0, help='of every random number')
    parser.add_argument('--out', type=Path, help='folder to write; default work_dirs/claims')
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Measure, plot and write the page.

    Args:
        args: Parsed arguments, with ``root``.

    Returns:
        Exit status.
    """
    logits = random_logits(args.seed)
    print(f'{logits.name}: {len(logits.teacher)} rows')
    return 0
