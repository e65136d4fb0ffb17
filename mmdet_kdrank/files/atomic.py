"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let the caller write a file that then takes the place of another.

    Whatever interrupts the caller, ``path`` holds the old file or the new one. The unfinished
    ``.NAME.part`` of a killed process is overwritten by the next write to that name.

    Args:
        path: Name of the file; its folder exists.

    Yields:
        The path to write to, in the same folder.
    """
    part = path.with_name(f'.{path.name}.part')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
