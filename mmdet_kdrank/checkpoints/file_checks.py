"""What a checkpoint file is, found out before anything in it is unpickled."""

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
    """Refuses a file that cannot be a whole checkpoint of `torch.save`.

    Reads the first bytes and, of an archive, its table of contents; unpacks nothing.

    Args:
        file: A file that exists.
        source: What to call it in an error, the path or URL that was asked for.

    Raises:
        CheckpointError: If the file is empty, a web page, a Git LFS pointer, an archive without an
            end, one that declares more bytes than it has, a TorchScript archive, or a tar archive.
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
            f'Checkpoint {source} is an HTML or XML page, i.e. the download was redirected to a '
            'login, error or share page. Open the address in a browser and fetch the file behind '
            'it.'
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
            f'Checkpoint {source} was refused: it is a tar archive, as torch wrote them before '
            '0.1.10, and what reads those unpacks files. If you trust where it comes from, load it '
            'once with torch.load(..., weights_only=False) and save it again.'
        )


def record_sizes(file: Path) -> Callable[[str], int] | None:
    """Bytes of each record of a `torch.save` archive, by the key that its pickle uses.

    Args:
        file: A file that :func:`check_file` admits.

    Returns:
        Function of a key that gives the size, and raises RuntimeError where there is no such
        record. None for a file that torch does not read as an archive: one of before torch 1.6.
    """
    with file.open('rb') as stream:
        if stream.read(len(ZIP)) != ZIP:
            return None
    # torch's own reader: another one might find another record. It has no size to ask for.
    reader = torch._C.PyTorchFileReader(str(file))
    return lru_cache(maxsize=None)(lambda key: len(reader.get_record(f'data/{key}')))


def _check_archive(file: Path, source: str, size: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            declared = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        # EINVAL: the table of contents would stand before the beginning.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise CheckpointError(
            f'Checkpoint {source} is truncated: an archive of {size} bytes without a readable '
            f'table of contents, which stands at its end ({error}). Fetch or write it again.'
        ) from error
    # torch.save stores without compression.
    if declared > size:
        raise CheckpointError(
            f'Checkpoint {source} was refused: it declares {declared} bytes of content and has '
            f'{size} itself, while torch.save compresses nothing. It is damaged or made to exhaust '
            'the memory. Fetch it again, from a source that you trust.'
        )


def _check_no_program(file: Path, source: str) -> None:
    """Refuses TorchScript, whose programs run on loading and may write files.

    From 2.6 on torch.load does too; before, it hands such an archive to torch.jit.load, past any
    `weights_only` or `pickle_module`.
    """
    try:
        # torch's own reader: in a crafted archive another one might find other names.
        names = torch._C.PyTorchFileReader(str(file)).get_all_records()
    except RuntimeError:
        # torch.load cannot read it either, and says why.
        return
    if 'constants.pkl' in names:
        raise CheckpointError(
            f'Checkpoint {source} was refused: it is a TorchScript archive, a program that could '
            'run code when it is loaded. If you trust where it comes from, save the weights alone: '
            'torch.save(torch.jit.load(...).state_dict(), ...).'
        )
