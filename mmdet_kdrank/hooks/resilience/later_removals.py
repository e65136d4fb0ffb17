"""Removing old files only when the new one is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any


class LaterRemovals:
    """A file backend whose removals wait until they are carried out.

    MMEngine's CheckpointHook removes the file that a checkpoint replaces before it writes the
    checkpoint. With this backend it asks for the removal there, and loses nothing if the writing
    fails.

    Args:
        backend: What does all the rest.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._waiting: dict[str, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, filepath: str | Path) -> None:
        """Remove a file later."""
        self._waiting[_place(filepath)] = partial(self._backend.remove, filepath)

    def rmtree(self, dir_path: str | Path) -> None:
        """Remove a folder later."""
        self._waiting[_place(dir_path)] = partial(self._backend.rmtree, dir_path)

    def keep(self, path: str | Path) -> None:
        """Remove it no more: something new was written there."""
        self._waiting.pop(_place(path), None)

    def carry_out(self) -> None:
        """Remove what waits."""
        while self._waiting:
            _, removal = self._waiting.popitem()
            with suppress(FileNotFoundError):
                removal()


def _place(path: str | Path) -> str:
    # A resumed run may have another name for the same local file.
    return str(path) if '://' in str(path) else os.path.realpath(path)
