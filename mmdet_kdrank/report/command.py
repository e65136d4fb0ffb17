"""The command line of ``tools/analyze.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet_kdrank.errors import KDRankError
from mmdet_kdrank.report.commands import confusion_command as confusion
from mmdet_kdrank.report.commands import pictures_command as pictures
from mmdet_kdrank.report.commands import ranking_command as ranking
from mmdet_kdrank.report.commands import report_command as report

# Each has add_parser(subparsers), which sets ``func``: takes the parsed arguments, ``root`` among
# them, and returns an exit status.
COMMANDS = (confusion, ranking, pictures, report)


def main(root: Path, arguments: Sequence[str] | None = None, extra: Sequence[Any] = ()) -> int:
    """Entry point of ``tools/analyze.py``.

    Args:
        root: Checkout with ``configs/``.
        arguments: Of the command line; None for the program's own.
        extra: Commands alongside :data:`COMMANDS`, which a checkout has and the package has not.

    Returns:
        Exit status: 1 where the command ended in one of this package's own errors.
    """
    parser = argparse.ArgumentParser(
        prog='analyze.py', description='Look into losses and finished trainings.'
    )
    subparsers = parser.add_subparsers(metavar='COMMAND', required=True)
    for command in (*extra, *COMMANDS):
        command.add_parser(subparsers)
    args = parser.parse_args(arguments)
    args.root = root
    try:
        return args.func(args)
    except KDRankError as error:
        print(error, file=sys.stderr)
        return 1
