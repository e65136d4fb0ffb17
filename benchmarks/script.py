"""The command line that all benchmarks share: device, size, folder, one progress bar."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.utils import ProgressBar

from benchmarks.harness import device_slug, require_device, write_rows
from benchmarks.harness.rows import Row

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / 'benchmarks' / 'results'
# Figures of tiny sizes mean nothing and must not replace those that do.
QUICK_RESULTS = ROOT / 'work_dirs' / 'benchmarks-quick'

Step = Callable[[], list[Row]]


class Script(NamedTuple):
    """A benchmark.

    Attributes:
        name: Its rows go to ``NAME_DEVICE.csv``, such as ``op_cpu.csv`` or ``op_h200.csv``.
        question: What it answers, in a sentence.
        steps: ``(device, quick) -> steps``, each of which measures some rows; the progress bar
            counts them.
    """

    name: str
    question: str
    steps: Callable[[str, bool], list[Step]]


def run(scripts: Sequence[Script], device: str, quick: bool, out: Path) -> list[Path]:
    """Run benchmarks and writes a CSV file for each.

    Args:
        scripts: The benchmarks.
        device: ``'cpu'`` or ``'cuda'``.
        quick: Tiny sizes, to see that everything works.
        out: Folder of the files.

    Returns:
        The files, in the order of the scripts.
    """
    require_device(device)
    planned = [(script, script.steps(device, quick)) for script in scripts]
    bar = ProgressBar(sum(len(steps) for _, steps in planned))
    paths = []
    for script, steps in planned:
        rows: list[Row] = []
        paths.append(out / f'{script.name}_{device_slug(device)}.csv')
        for step in steps:
            rows += step()
            # At once: a machine that is lent for minutes may be gone before the last step.
            write_rows(paths[-1], rows, device)
            bar.update()
    print()
    return paths


def main(
    scripts: Sequence[Script],
    arguments: Sequence[str] | None = None,
    then: Callable[[Path], list[Path]] | None = None,
) -> int:
    """Run benchmarks from the command line.

    Args:
        scripts: The benchmarks.
        arguments: Those of the process by default.
        then: Called with the folder afterwards; returns more files that it wrote.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(
        description=' '.join(script.question for script in scripts),
    )
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda')
    parser.add_argument('--quick', action='store_true', help='tiny sizes: does it run?')
    parser.add_argument('--out', type=Path, help='folder of the CSV files')
    options = parser.parse_args(arguments)
    out = options.out or (QUICK_RESULTS if options.quick else RESULTS)
    try:
        paths = run(scripts, options.device, options.quick, out)
    except (RuntimeError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for path in [*paths, *(then(out) if then else [])]:
        print(f'wrote {path}')
    return 0
