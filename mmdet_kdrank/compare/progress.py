"""The line of a comparison's progress."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from mmdet_kdrank.compare.experiment import Run
from mmdet_kdrank.runs.job import Job
from mmdet_kdrank.runs.scalars import read_scalars

_MOST_JOBS = 4
_EPOCH = re.compile(r'Epoch\(train\)\s+\[\d+\]\[\s*\d+/(\d+)\]')


class Progress:
    """Counts finished runs and estimates the time that the others take.

    The estimate is made of the wall time of the iterations since this command began, validation
    and checkpoints included. A run that has not begun is expected to last as long as the others.

    Args:
        runs: All of the comparison.
        slots: How many run side by side.
    """

    def __init__(self, runs: Sequence[Run], slots: int) -> None:
        self._runs = runs
        self._slots = slots
        self._first: dict[Job, tuple[float, int]] = {}
        self._pace: dict[str, float] = {}
        self._done = {run for run in runs if run.is_done()}

    def __call__(self, running: Sequence[Job]) -> str:
        """Return the line for the jobs that run."""
        self._done |= {run for run in self._runs if run not in self._done and run.is_done()}
        shown = [self._state(job) for job in running[:_MOST_JOBS]]
        if len(running) > _MOST_JOBS:
            shown.append(f'{len(running) - _MOST_JOBS} more')
        left = self._seconds_left()
        if left is not None:
            shown.append(f'about {_clock(left)} left')
        return f'[{len(self._done)}/{len(self._runs)} runs] ' + ' | '.join(shown)

    def _state(self, job: Job) -> str:
        run = next((run for run in self._runs if run.training is job), None)
        if run is None:
            return job.progress()
        step, now = _step(run), time.monotonic()
        if step == 0:
            return f'{job.name} starting'
        since, first = self._first.setdefault(job, (now, step))
        if step > first:
            self._pace[run.variant] = (now - since) / (step - first)
        return f'{job.name} {step}/{_length(run) or "?"}'

    def _seconds_left(self) -> float | None:
        if not self._pace:
            return None
        typical = sum(self._pace.values()) / len(self._pace)
        total = 0.0
        for run in self._runs:
            if run not in self._done:
                length = _length(run)
                if length is None:
                    return None
                pace = self._pace.get(run.variant, typical)
                total += pace * (length - (_step(run) if not run.training.is_outdated() else 0))
        return total / self._slots


def _step(run: Run) -> int:
    records = read_scalars(run.training.folder)
    return max((record['step'] for record in records if 'loss' in record), default=0)


def _length(run: Run) -> int | None:
    """Return iterations of a training; where it counts epochs, from its log once it has begun."""
    loop = run.training.settings.train_cfg
    if 'max_iters' in loop:
        return loop.max_iters
    if run.training.log.is_file():
        with run.training.log.open(errors='replace') as lines:
            for line in lines:
                if match := _EPOCH.search(line):
                    return loop.max_epochs * int(match.group(1))
    return None


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02d} min'
