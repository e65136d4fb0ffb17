"""One command for each folder, ended together with its child processes."""

from __future__ import annotations

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmdet_kdrank.errors import RunError


@contextmanager
def exclusive(folder: Path) -> Iterator[int]:
    """Hold a folder for this process alone.

    Child processes inherit the lock. If this process is killed outright while they still run, the
    next command therefore does not start a second writer.

    Args:
        folder: Made if missing.

    Yields:
        The lock's file descriptor.

    Raises:
        RunError: If another process, or a child of one, uses the folder.
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
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does, so that it ends its children."""
    # Under nohup SIGHUP is ignored, and must remain so.
    kinds = [
        kind
        for kind in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(kind) is not signal.SIG_IGN
    ]
    handlers = [signal.signal(kind, signal.default_int_handler) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, handlers, strict=True):
            signal.signal(kind, handler)
