#!/usr/bin/env python
"""Print the last evaluation of runs as a Markdown table: results_table.py WORK_DIR [WORK_DIR …]."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmdet_kdrank.errors import MissingFileError
from mmdet_kdrank.files.markdown import markdown_table


@dataclass(frozen=True)
class Evaluation:
    """Result of one evaluation.

    Args:
        source: ``'training, step 12'`` (of epochs or iterations, as the run counts), or
            ``'test'`` for ``tools/test.py``.
        metrics: By the name in the log, such as ``'coco/bbox_mAP'``.
    """

    source: str
    metrics: dict[str, float]


def last_evaluation(work_dir: Path | str) -> Evaluation | None:
    """Find the newest evaluation in a work dir, of a training or of ``tools/test.py``.

    Args:
        work_dir: Folder with MMEngine's ``TIMESTAMP/`` folders.

    Returns:
        The evaluation; None where there has been none yet.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise MissingFileError(
            f'{work_dir} is no folder. Give the work dirs of runs, as work_dirs/*.'
        )
    runs = sorted(path for path in work_dir.iterdir() if path.is_dir())
    evaluations = [evaluation for run in runs for evaluation in _evaluations(run)]
    return evaluations[-1] if evaluations else None


def results_table(work_dirs: Iterable[Path | str]) -> str:
    """Write a row for each work dir.

    Args:
        work_dirs: Folders of runs.

    Returns:
        The folder's name, where the figures come from, and every metric that one of the
        runs has; empty where a run lacks it.

    Raises:
        FileNotFoundError: If a folder does not exist.
    """
    evaluations = [(Path(folder).name, last_evaluation(folder)) for folder in work_dirs]
    names = list(dict.fromkeys(name for _, last in evaluations if last for name in last.metrics))
    rows = []
    for run, last in evaluations:
        metrics = last.metrics if last else {}
        cells = [f'{metrics[name]:.3f}' if name in metrics else '' for name in names]
        rows.append([run, last.source if last else 'not yet', *cells])
    return markdown_table(['run', 'evaluated', *names], rows)


def _evaluations(run: Path) -> Iterator[Evaluation]:
    """Yield the evaluations of one start of a tool, oldest first."""
    scalars, test = run / 'vis_data' / 'scalars.json', run / f'{run.name}.json'
    for line in scalars.read_text().splitlines() if scalars.is_file() else ():
        # The last line may be being written.
        record = json.loads(line) if line.endswith('}') else {}
        if metrics := _metrics(record):
            yield Evaluation(f'training, step {record["step"]}', metrics)
    if test.is_file() and (metrics := _metrics(json.loads(test.read_text()))):
        yield Evaluation('test', metrics)


def _metrics(record: dict) -> dict[str, float]:
    """Return the figures that an evaluator wrote: their names carry its prefix."""
    return {k: v for k, v in record.items() if '/' in k and isinstance(v, int | float)}


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', type=Path, metavar='WORK_DIR')
    try:
        print(results_table(parser.parse_args().work_dirs))
    except MissingFileError as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
