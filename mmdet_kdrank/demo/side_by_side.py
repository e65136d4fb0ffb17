"""Running trainings side by side, with one line of progress, and leaving none behind."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mmdet_kdrank.analysis.provenance import cpu_count

from .training import Training

_POLL_SECONDS = 0.5
_LINE_SECONDS = {True: 2.0, False: 30.0}  # between lines, by whether they overwrite each other


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why and what mends it."""


@contextmanager
def exclusive(folder: Path) -> Iterator[int]:
    """Hold a folder for this demo alone.

    The trainings inherit the lock: should the demo itself be killed outright, the next one does
    not start a second writer beside those that are still running.

    Args:
        folder: Made if missing.

    Yields:
        The lock's file descriptor.

    Raises:
        DemoError: If another demo, or a training of one, uses the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('a') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f'{folder} is in use by another demo, or by a training that a killed one left '
                'running. Wait for it, or end the tools/train.py processes that ps shows.'
            ) from None
        yield lock.fileno()


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the demo as Ctrl-C does, so that it ends its trainings."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    # Under nohup SIGHUP is ignored, and must remain so.
    kinds = [
        kind
        for kind in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(kind) is not signal.SIG_IGN
    ]
    former = [signal.signal(kind, interrupt) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, former, strict=True):
            signal.signal(kind, handler)


def run_phase(title: str, trainings: list[Training], root: Path, lock: int) -> None:
    """Run the trainings that are not done yet, at the same time.

    Args:
        title: Head of the progress line.
        trainings: Independent of each other.
        root: Checkout with ``tools/``.
        lock: What :func:`exclusive` gave.

    Raises:
        DemoError: If one fails; the others are ended.
    """
    open_ones = [training for training in trainings if not training.is_done()]
    for training in trainings:
        if training not in open_ones:
            print(f'{title} {training.name}: kept from an earlier run', flush=True)
    threads = max(1, min(4, cpu_count() // max(1, len(open_ones))))
    running: dict[Training, subprocess.Popen] = {}
    try:
        for training in open_ones:
            running[training] = training.start(root, threads, inherited=(lock,))
            print(f'{title} {training.name}: log in {training.log}', flush=True)
        _wait(title, running)
    finally:
        _end(running.values())


def _wait(title: str, running: dict[Training, subprocess.Popen]) -> None:
    overwrite = sys.stdout.isatty()
    said = time.monotonic()
    waiting = dict(running)
    while waiting:
        for training, process in list(waiting.items()):
            code = process.poll()
            if code:
                raise DemoError(
                    f'{training.name} failed with exit status {code}; its log {training.log} '
                    f'ends with:\n{training.last_words()}'
                )
            if code == 0:
                training.mark_done()
                del waiting[training]
        if time.monotonic() - said > _LINE_SECONDS[overwrite] or not waiting:
            said = time.monotonic()
            line = f'{title} ' + ' | '.join(training.progress() for training in running)
            print(
                f'\r\x1b[K{line}' if overwrite else line, end='' if overwrite else '\n', flush=True
            )
        time.sleep(_POLL_SECONDS)
    if overwrite and running:
        print()


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
