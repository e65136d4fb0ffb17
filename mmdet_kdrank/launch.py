"""Running the tools that MMDetection's package carries, with this package's modules registered."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import mmdet

TENSORBOARD = 'visualizer.type=DetTensorboardVisualizer'


def run_mmdet_tool(name: str) -> None:
    """Run one of MMDetection's tools in this process, on this process's arguments.

    ``--tensorboard`` is this package's own flag: it is taken out and becomes a ``--cfg-options``
    entry.

    Args:
        name (str): File name of the tool, e.g. ``'train.py'``.
    """
    sys.argv[1:] = expand_tensorboard(sys.argv[1:])
    tool = Path(mmdet.__file__).parent / '.mim' / 'tools' / name
    runpy.run_path(str(tool), run_name='__main__')


def expand_tensorboard(arguments: list[str]) -> list[str]:
    """Replace ``--tensorboard`` by the config option that it stands for.

    Args:
        arguments (list[str]): Command-line arguments.

    Returns:
        list[str]: The same without ``--tensorboard``; where it was given, followed by
        ``--cfg-options`` with the visualiser, which MMEngine adds to those already there.
    """
    rest = [argument for argument in arguments if argument != '--tensorboard']
    return arguments if rest == arguments else [*rest, '--cfg-options', TENSORBOARD]
