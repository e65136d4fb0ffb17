"""File backends that never leave a name without a whole file."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

from mmdet_kdrank.files.atomic import replacing


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """MMEngine's local backend, but a file is written under another name and then renamed.

    It is renamed when all of it is on the disk. So if a write is interrupted, the name holds the
    old file or the new one. The next write to that name overwrites the unfinished ``.NAME.part`` of
    a killed process.

    A config asks for it with ``default_hooks=dict(checkpoint=dict(backend_args=dict(
    backend='atomic')))``.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     AtomicBackend().put_text('whole', f'{folder}/file.txt')
        ...     AtomicBackend().get_text(f'{folder}/file.txt')
        'whole'
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file.

        Args:
            obj: Its content.
            filepath: Its path; missing folders are created.

        Raises:
            OSError: If it cannot be written; the message names the path and the free space. An
                existing file of this name is unchanged.
        """
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with replacing(path) as part, part.open('wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            free = shutil.disk_usage(path.parent).free
            raise OSError(
                error.errno,
                f'{path}, {len(obj):,} bytes, cannot be written ({error.strerror}); '
                f'{free:,} bytes are free there. An existing file of this name is unchanged. '
                'Free space or raise the quota, then continue with --resume.',
            ) from error
        _sync_folder(path.parent)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text file as :meth:`put` does."""
        self.put(obj.encode(encoding), filepath)


def _sync_folder(folder: Path) -> None:
    # The new name is on the disk only after a sync of its folder, which some file systems refuse.
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        print_log(
            f'{folder} cannot be synced ({error.strerror}). The file in it is whole. If the '
            'machine loses power now, the old file may have the name again.',
            logger='current',
            level=logging.WARNING,
        )


class LaterRemovals:
    """A file backend whose removals wait for a call of :meth:`carry_out`.

    MMEngine's CheckpointHook removes an old checkpoint before it writes the new one. With this
    backend the removal happens later, so nothing is lost if the writing fails.

    Args:
        backend: The backend for everything else.
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
        """Cancel a removal, because a new file was written there."""
        self._waiting.pop(_place(path), None)

    def carry_out(self) -> None:
        """Carry out all waiting removals."""
        while self._waiting:
            _, removal = self._waiting.popitem()
            with suppress(FileNotFoundError):
                removal()


def _place(path: str | Path) -> str:
    # A resumed run may use another name for the same local file.
    return str(path) if '://' in str(path) else os.path.realpath(path)
