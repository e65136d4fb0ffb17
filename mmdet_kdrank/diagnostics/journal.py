"""The file of diagnostics in a run's folder: one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path

NAME = 'diagnostics.jsonl'


def append(folder: Path | str, step: int, values: dict[str, float]) -> None:
    """Add the diagnostics of an iteration to the file of a run.

    Args:
        folder: The run's own folder, ``WORK_DIR/TIMESTAMP``.
        step: Number of the iteration, counted from 1 as in the log.
        values: By name; finite.
    """
    with (Path(folder) / NAME).open('a', encoding='utf-8') as file:
        file.write(json.dumps({'step': step, **values}, allow_nan=False) + '\n')


def read_diagnostics(work_dir: Path | str) -> list[dict[str, float]]:
    """Read all diagnostics of a training, those of its resumed runs joined.

    Args:
        work_dir: Folder that ``tools/train.py`` was given.

    Returns:
        Records with ``step``, ordered by it. Where a resumed run did a step again, the later record
        counts. Empty if the hook did not run.
    """
    joined: dict[int, dict[str, float]] = {}
    for path in sorted(Path(work_dir).glob(f'*/{NAME}')):
        for line in path.read_text(encoding='utf-8').splitlines():
            if line.endswith('}'):  # else the training is writing it now
                record = json.loads(line)
                joined[record['step']] = record
    return [joined[step] for step in sorted(joined)]
