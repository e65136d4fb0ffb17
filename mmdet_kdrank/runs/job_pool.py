"""Running jobs side by side, with one line of progress."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mmdet_kdrank.errors import RunError
from mmdet_kdrank.runs.job import Job

_POLL_SECONDS = 0.5
_LINE_SECONDS = {True: 2.0, False: 30.0}  # between lines, by whether they overwrite each other


def run_jobs(
    jobs: Sequence[Job],
    slots: Sequence[Mapping[str, str]],
    root: Path,
    lock: int,
    title: str = '',
    line: Callable[[Sequence[Job]], str] | None = None,
) -> None:
    """Run the jobs that are not done yet, each as early as the slots and its ``after`` allow.

    Args:
        jobs: In order of preference.
        slots: Environment variables of each place for a process, such as ``OMP_NUM_THREADS``.
        root: Folder with ``tools/``.
        lock: File descriptor of :func:`~mmdet_kdrank.runs.exclusive.exclusive`.
        title: Head of each line.
        line: Makes the line of progress from the running jobs; default the progress of each.

    Raises:
        RunError: If one fails; the others are ended.
    """
    line = line or _progress
    waiting = [job for job in jobs if not job.is_done()]
    free = list(range(len(slots)))
    running: dict[Job, tuple[subprocess.Popen, int]] = {}
    printed = time.monotonic()
    try:
        while waiting or running:
            for job in _ready(waiting, running)[: len(free)]:
                if job.is_outdated():
                    _print(f'{title}{job.name}: its settings have changed, starting afresh')
                waiting.remove(job)
                slot = free.pop(0)
                running[job] = job.start(root, slots[slot], inherited=(lock,)), slot
                _print(f'{title}{job.name}: log in {job.log}')
            finished = [job for job, (process, _) in running.items() if _ended(job, process)]
            if finished or time.monotonic() - printed > _LINE_SECONDS[sys.stdout.isatty()]:
                printed = time.monotonic()
                _print(title + line(list(running)), passing=True)
            for job in finished:
                free.append(running.pop(job)[1])
                free.sort()
            if not finished:
                time.sleep(_POLL_SECONDS)
    finally:
        _end(process for process, _ in running.values())


def _ready(waiting: Iterable[Job], running: Iterable[Job]) -> list[Job]:
    unfinished = {*waiting, *running}
    return [job for job in waiting if unfinished.isdisjoint(job.after)]


def _progress(jobs: Sequence[Job]) -> str:
    return ' | '.join(job.progress() for job in jobs)


def _print(text: str, passing: bool = False) -> None:
    """Print a line; on a terminal a passing one is overwritten by the next."""
    terminal = sys.stdout.isatty()
    print(f'\r\x1b[K{text}' if terminal else text, end='' if terminal and passing else '\n')
    sys.stdout.flush()


def _ended(job: Job, process: subprocess.Popen) -> bool:
    """Return whether the process has succeeded; raise :class:`RunError` if it has failed."""
    job.note_memory(_peak_memory(process.pid))
    code = process.poll()
    if code is None:
        return False
    if code:
        raise RunError(
            f'{job.name} failed with exit status {code}; its log {job.log} ends with:\n'
            f'{job.last_words()}'
        )
    job.mark_done()
    return True


def _peak_memory(pid: int) -> float:
    """Return the largest resident memory of a process, in MiB; 0 where it is not known."""
    try:
        status = Path(f'/proc/{pid}/status').read_text()
    except OSError:
        return 0.0
    # The kernel's ru_maxrss is no help: it counts this process too, from before the exec.
    match = re.search(r'^VmHWM:\s*(\d+) kB', status, re.MULTILINE)
    return int(match.group(1)) / 2**10 if match else 0.0


def _end(processes: Iterable[subprocess.Popen]) -> None:
    alive = [process for process in processes if process.poll() is None]
    for process in alive:
        process.terminate()
    for process in alive:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
