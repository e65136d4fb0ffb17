"""The content of a file or a text as one short number."""

from __future__ import annotations

import hashlib
from pathlib import Path

_CHUNK = 1 << 20


def file_sha256(file: Path) -> str:
    """Read a file piece by piece.

    Args:
        file: Of any size.

    Returns:
        Its SHA-256, 64 hexadecimal digits.

    Raises:
        OSError: If it cannot be read.
    """
    digest = hashlib.sha256()
    with file.open('rb') as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a text in UTF-8.

    Example:
        >>> fingerprint('kendall')
        '4b2ee3d7626c8614'
    """
    return hashlib.sha256(text.encode()).hexdigest()[:16]
