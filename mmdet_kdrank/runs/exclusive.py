"""One command a folder, ended as a whole."""

from __future__ import annotations

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mmdet_kdrank.errors import RunError


@contextmanager
def exclusive(folder: Path) -> Iterator[int]:
    """Hold a folder for this process alone.

    The processes that it starts inherit the lock: should it be killed outright, the next one does
    not start a second writer beside those that are still running.

    Args:
        folder: Made if missing.

    Yields:
        The lock's file descriptor.

    Raises:
        RunError: If another process, or what one started, uses the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('a') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f'{folder} is in use by another such command, or by a training that a killed one '
                'left running. Wait for it, or end the tools/train.py processes that ps shows.'
            ) from None
        yield lock.fileno()


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does, so that it ends what it started."""

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
