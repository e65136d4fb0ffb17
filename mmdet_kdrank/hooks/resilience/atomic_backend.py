"""Files that are whole or absent."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

from mmdet_kdrank.files.atomic import replacing


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """MMEngine's local backend, writing beside the file and renaming when all is on the disk.

    Whatever interrupts a write, the name holds the old file or the new one. The unfinished
    ``.NAME.part`` of a killed process is overwritten by the next write to that name.

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
            filepath: Its path; folders are made.

        Raises:
            OSError: If it cannot be written, with the path and the space left. What had this name
                before is untouched.
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
                f'{free:,} bytes are free there. A file that had this name before is untouched: '
                'make room or lift the quota, then go on with --resume.',
            ) from error
        _sync_folder(path.parent)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text file as :meth:`put` does."""
        self.put(obj.encode(encoding), filepath)


def _sync_folder(folder: Path) -> None:
    # The new name is on the disk only when its folder is. Not every file system syncs folders.
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        print_log(
            f'{folder} cannot be synced ({error.strerror}). The file in it is whole; if the '
            'machine loses its power now, the old one may be back under its name.',
            logger='current',
            level=logging.WARNING,
        )
