"""Reading the scalars that MMEngine writes alongside its log."""

from __future__ import annotations

import json
from pathlib import Path

MEAN_AP, AP50 = 'coco/bbox_mAP', 'coco/bbox_mAP_50'


def read_scalars(work_dir: Path | str) -> list[dict[str, float]]:
    """Read all records of a training, those of its resumed runs joined.

    Args:
        work_dir: Folder that ``tools/train.py`` was given.

    Returns:
        Records as MMEngine wrote them, ordered by ``step``. Where a resumed run did a step again,
        the later values count. Empty if the training has not logged yet.
    """
    joined: dict[tuple[int, bool], dict[str, float]] = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            if not line.endswith('}'):
                continue  # the training is writing it now
            record = json.loads(line)
            if 'step' in record:
                # Validation and diagnostics may share a step, each in a line of its own.
                joined.setdefault((record['step'], 'loss' in record), {}).update(record)
    return [joined[key] for key in sorted(joined)]


def curve(records: list[dict[str, float]], key: str) -> tuple[list[float], list[float]]:
    """Take one quantity out of the records.

    Args:
        records: Those of :func:`read_scalars`.
        key: Name in the log, e.g. ``'loss_rank'``.

    Returns:
        Iterations and values; empty where the quantity was not logged.

    Example:
        >>> curve([{'step': 10, 'loss': 2.0}, {'step': 20, 'loss': 1.0}], 'loss')
        ([10, 20], [2.0, 1.0])
    """
    logged = [record for record in records if key in record]
    return [record['step'] for record in logged], [record[key] for record in logged]


def seconds_per_iteration(records: list[dict[str, float]]) -> float:
    """Median over the log of the seconds that a training iteration took; NaN without any."""
    times = sorted(record['time'] for record in records if 'loss' in record)
    return times[len(times) // 2] if times else float('nan')
