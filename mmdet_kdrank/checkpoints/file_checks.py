"""Checks of a checkpoint file, before anything in it is unpickled."""

from __future__ import annotations

import errno
import tarfile
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch

from mmdet_kdrank.errors import CheckpointError

ZIP = b'PK\x03\x04'
LFS = b'version https://git-lfs'
PAGES = (b'<!doctype html', b'<html', b'<?xml', b'<!--')
_HEAD = 512


def check_file(file: Path, source: str) -> None:
    """Refuse a file that cannot be a whole checkpoint of `torch.save`.

    This reads the first bytes and, from an archive, its table of contents; it unpacks nothing.

    Args:
        file: A file that exists.
        source: Its name in an error: the path or URL that the user gave.

    Raises:
        CheckpointError: If the file is empty, a web page, a Git LFS pointer, a TorchScript archive
            or a tar archive. Also if an archive is truncated or declares more bytes than it has.
    """
    size = file.stat().st_size
    with file.open('rb') as stream:
        head = stream.read(_HEAD)
    if not head:
        raise CheckpointError(
            f'Checkpoint {source} is empty: its download or copy was broken off. Fetch it again.'
        )
    if head.lstrip(b'\xef\xbb\xbf \t\r\n').lower().startswith(PAGES):
        raise CheckpointError(
            f'Checkpoint {source} is an HTML or XML page: the download was redirected to a login, '
            'error or share page. Open the address in a browser and download the file itself.'
        )
    if head.startswith(LFS):
        raise CheckpointError(
            f'Checkpoint {source} is a Git LFS pointer, not the file it points to. Run '
            '`git lfs pull` in its repository.'
        )
    if head.startswith(ZIP):
        _check_archive(file, source, size)
        _check_no_program(file, source)
    elif tarfile.is_tarfile(file):
        raise CheckpointError(
            f'Checkpoint {source} was refused: it is a tar archive, as torch wrote before 0.1.10, '
            'and reading it would unpack files. If you trust its origin, load it once with '
            'torch.load(..., weights_only=False) and save it again.'
        )


def record_sizes(file: Path) -> Callable[[str], int] | None:
    """Return a function for the bytes of a record in a `torch.save` archive.

    Args:
        file: A file that :func:`check_file` accepts.

    Returns:
        A function from a record's key in the pickle to its size. It raises RuntimeError if there is
        no such record. None for a file of before torch 1.6, which is no archive.
    """
    with file.open('rb') as stream:
        if stream.read(len(ZIP)) != ZIP:
            return None
    # torch's own reader: another reader might find another record. It offers no size directly.
    reader = torch._C.PyTorchFileReader(str(file))
    return lru_cache(maxsize=None)(lambda key: len(reader.get_record(f'data/{key}')))


def _check_archive(file: Path, source: str, size: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            declared = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        # EINVAL: the table of contents would start before the beginning of the file.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise CheckpointError(
            f'Checkpoint {source} is truncated: the archive of {size} bytes has no readable table '
            f'of contents at its end ({error}). Fetch or write it again.'
        ) from error
    # torch.save stores without compression.
    if declared > size:
        raise CheckpointError(
            f'Checkpoint {source} was refused: it declares {declared} bytes of content but has '
            f'{size} itself, and torch.save does not compress. It is damaged, or made to exhaust '
            'the memory. Fetch it again, from a source that you trust.'
        )


def _check_no_program(file: Path, source: str) -> None:
    """Refuse TorchScript, whose programs run on loading and may write files.

    From 2.6 on torch.load refuses it too. Before, it passes such an archive to torch.jit.load and
    ignores `weights_only` and `pickle_module`.
    """
    try:
        # torch's own reader: in a malicious archive another reader might find other names.
        names = torch._C.PyTorchFileReader(str(file)).get_all_records()
    except RuntimeError:
        # torch.load cannot read it either, and its error says why.
        return
    if 'constants.pkl' in names:
        raise CheckpointError(
            f'Checkpoint {source} was refused: it is a TorchScript archive, a program that could '
            'run code when it is loaded. If you trust its origin, save the weights alone: '
            'torch.save(torch.jit.load(...).state_dict(), ...).'
        )
