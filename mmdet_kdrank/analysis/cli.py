"""The command line of ``tools/analyze.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmdet_kdrank.errors import KDRankError

from .claims import command as claims
from .commands import confusion, pictures, ranking, report

# Each has add_parser(subparsers), which sets ``func``: takes the parsed arguments, ``root`` among
# them, and returns an exit status.
COMMANDS = (claims, confusion, ranking, pictures, report)


def main(root: Path, arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``tools/analyze.py``.

    Args:
        root: Checkout with ``configs/``.
        arguments: Of the command line; None for the program's own.

    Returns:
        Exit status: 1 where the command ended in one of this package's own errors.
    """
    parser = argparse.ArgumentParser(
        prog='analyze.py', description='Look into losses and finished trainings.'
    )
    subparsers = parser.add_subparsers(metavar='COMMAND', required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    args = parser.parse_args(arguments)
    args.root = root
    try:
        return args.func(args)
    except KDRankError as error:
        print(error, file=sys.stderr)
        return 1
