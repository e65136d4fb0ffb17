"""The console script ``kdrank``: the tools of a checkout, also from an installed package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

HELP = {
    'train': "train a detector: MMDetection's own tool with this package imported",
    'test': 'evaluate a detector in the same way',
    'compare': 'train two or more configs with the same seeds, and compare them',
    'analyze': 'look into finished trainings',
    'check': 'say whether a config distils as it should, without training',
    'doctor': 'check the environment',
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Of the command line; default ``sys.argv[1:]``.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(
        prog='kdrank', description='Knowledge distillation with a ranking loss for MMDetection.'
    )
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for name, text in HELP.items():
        # The command has its own --help.
        commands.add_parser(name, help=text, add_help=False)
    given = sys.argv[1:] if arguments is None else arguments
    command = parser.parse_args(given[:1]).command
    # The commands, and MMDetection's tools among them, read the program's own arguments.
    sys.argv = [f'kdrank {command}', *given[1:]]
    return _entry(command)() or 0


def _entry(command: str) -> Callable[[], int | None]:
    """Import a command, and only that: the doctor must run where the others cannot."""
    if command == 'doctor':
        from mmdet_kdrank.doctor import main as doctor

        return doctor
    if command == 'check':
        from mmdet_kdrank.check.command import main as check

        return check
    if command == 'compare':
        from mmdet_kdrank.compare.command import main as compare

        return lambda: compare(_root())
    if command == 'analyze':
        from mmdet_kdrank.report.command import main as analyze

        return lambda: analyze(_root())
    from mmdet_kdrank.launch import run_mmdet_tool

    return lambda: run_mmdet_tool(f'{command}.py')


def _root() -> Path:
    """Return the folder with ``tools/`` and ``configs/``: in the package, or the checkout."""
    package = Path(__file__).parent
    carried = package / '.mim'
    return carried if carried.is_dir() else package.parent
