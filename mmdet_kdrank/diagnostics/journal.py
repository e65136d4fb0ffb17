"""The file of diagnostics in a run's folder, with one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path

NAME = 'diagnostics.jsonl'


def append(folder: Path | str, step: int, values: dict[str, float]) -> None:
    """Add the diagnostics of an iteration to the file of a run.

    Args:
        folder: The run's own folder, ``WORK_DIR/TIMESTAMP``.
        step: Number of the iteration, counted from 1 as in the log.
        values: Finite values by name.
    """
    with (Path(folder) / NAME).open('a', encoding='utf-8') as file:
        file.write(json.dumps({'step': step, **values}, allow_nan=False) + '\n')


def read_diagnostics(work_dir: Path | str) -> list[dict[str, float]]:
    """Read all diagnostics of a training, also those of its resumed runs.

    Args:
        work_dir: Folder that ``tools/train.py`` was given.

    Returns:
        Records with ``step``, in its order. If a resumed run repeated a step, the later record
        counts. Empty if the hook did not run.
    """
    joined: dict[int, dict[str, float]] = {}
    for path in sorted(Path(work_dir).glob(f'*/{NAME}')):
        for line in path.read_text(encoding='utf-8').splitlines():
            if line.endswith('}'):  # else a running training is still writing it
                record = json.loads(line)
                joined[record['step']] = record
    return [joined[step] for step in sorted(joined)]
