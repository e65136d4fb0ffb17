"""Running the tools that MMDetection's package carries, with this package's modules registered."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import mmdet

from mmdet_kdrank.distillers.student_class import assert_nothing_lost

TENSORBOARD = 'visualizer.type=DetTensorboardVisualizer'


def run_mmdet_tool(name: str) -> None:
    """Run one of MMDetection's tools in this process, on this process's arguments.

    ``--tensorboard`` is this package's own flag: it is taken out and becomes a ``--cfg-options``
    entry.

    Args:
        name (str): File name of the tool, e.g. ``'train.py'``.

    Raises:
        TypeError: If the config's distiller drops what the class of its base config overrides.
    """
    sys.argv[1:] = expand_tensorboard(sys.argv[1:])
    config = next((argument for argument in sys.argv[1:] if Path(argument).is_file()), None)
    if config and not any(a.startswith('model.student_type=') for a in sys.argv):
        assert_nothing_lost(config)
    tool = Path(mmdet.__file__).parent / '.mim' / 'tools' / name
    runpy.run_path(str(tool), run_name='__main__')


def expand_tensorboard(arguments: list[str]) -> list[str]:
    """Replace ``--tensorboard`` by the config option that it stands for.

    Args:
        arguments (list[str]): Command-line arguments.

    Returns:
        list[str]: The same without ``--tensorboard``; where it was given, ``--cfg-options`` (the
        one already there, if any) begins with the visualiser.
    """
    rest = [argument for argument in arguments if argument != '--tensorboard']
    if rest == arguments:
        return arguments
    if '--cfg-options' in rest:
        # argparse keeps only the last --cfg-options, so the entry joins the one that is there.
        at = rest.index('--cfg-options') + 1
        return [*rest[:at], TENSORBOARD, *rest[at:]]
    return [*rest, '--cfg-options', TENSORBOARD]
