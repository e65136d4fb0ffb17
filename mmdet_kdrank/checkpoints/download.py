"""Downloads a checkpoint; a file is kept only if it is whole and passes the checks."""

from __future__ import annotations

import http.client
import os
import re
import uuid
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import Request, urlopen

import torch
from mmengine.logging import print_log

from mmdet_kdrank.checkpoints.file_checks import check_file
from mmdet_kdrank.errors import CheckpointError
from mmdet_kdrank.files.fingerprint import file_sha256, fingerprint

TIMEOUT = 60.0
"""Seconds without a byte after which a download is given up."""

_CHUNK = 1 << 20
# The convention of torch.hub and of OpenMMLab's publish_model.py.
_HASH = re.compile(r'-([0-9a-f]{8,64})\.[a-z]+$')


def fetch(url: str) -> Path:
    """Fetch a file once per machine, into the folder ``checkpoints/`` of torch's hub folder.

    Two URLs may end in the same name. If the name contains no hash that distinguishes their files,
    the file is put into a subfolder, which is named by a hash of the URL.

    The file gets its name only when it is whole. It must have the length that the server announced
    and the SHA-256 that its name announces. A file that exists already must have that hash too.

    If several processes fetch the same file, each may download its own copy, and the last one is
    kept.

    Args:
        url: An http or https URL.

    Returns:
        The local file.

    Raises:
        CheckpointError: If the whole file cannot be downloaded; it names the folder in which to put
            the file by hand.
    """
    name = _file_name(url)
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    if name_hash(name) is None:
        folder /= fingerprint(url)[:12]
    _ensure(url, folder / name)
    return folder / name


def name_hash(name: str) -> str | None:
    """Return the beginning of the SHA-256 that a file name contains.

    Args:
        name: Such as ``retinanet_r50-c4a1b2d3.pth``.

    Returns:
        Eight or more hex digits. None if there are none, or if they are a date (``-20200130.pth``).
    """
    match = _HASH.search(name)
    if match is None:
        return None
    try:
        datetime.strptime(match.group(1), '%Y%m%d')
    except ValueError:
        return match.group(1)
    return None


def _file_name(url: str) -> str:
    """Return the last component of a URL's path; it cannot lead out of a folder."""
    # Decode first: an encoded slash separates too.
    name = os.path.basename(unquote(urlparse(url).path))
    if name in ('', '.', '..') or not name.isprintable():
        raise CheckpointError(f'{url} names no file. Give the URL of the checkpoint itself.')
    return name


def _ensure(url: str, file: Path) -> None:
    by_hand = f'or fetch {file.name} elsewhere and put it into {file.parent} by hand'
    partial = file.with_name(f'{file.name}.{uuid.uuid4().hex}.partial')
    try:
        if file.is_file():
            check_hash(file, file.name, f'{file}, from an earlier download of {url},')
            print_log(f'Using {file}, an earlier download of {url}.', logger='current')
            return
        print_log(f'Downloading {url} to {file}.', logger='current')
        file.parent.mkdir(parents=True, exist_ok=True)
        received, announced = _download(url, partial)
        if announced is not None and received != announced:
            raise CheckpointError(
                f'The download of {url} broke off after {received} of {announced} bytes, and was '
                f'deleted. Try again, {by_hand}.'
            )
        check_file(partial, url)
        check_hash(partial, file.name, f'The download of {url}')
        partial.replace(file)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CheckpointError(
            f'{url} cannot be downloaded ({error or type(error).__name__}). Check the address, the '
            f'network and the permissions of the folder, {by_hand}.'
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _download(url: str, target: Path) -> tuple[int, int | None]:
    """Write the content of a URL; return the bytes received, and those announced."""
    request = Request(url, headers={'User-Agent': 'mmdet_kdrank'})
    with urlopen(request, timeout=TIMEOUT) as response, target.open('wb') as stream:
        # http.client treats a connection that closes too early as the end of the file.
        while chunk := response.read(_CHUNK):
            stream.write(chunk)
        length = response.headers.get('Content-Length')
        return stream.tell(), None if length is None else int(length)


def check_hash(file: Path, name: str, description: str) -> None:
    """Check a file against the hash in its name, if the name contains one.

    Args:
        file: The file to read.
        name: The name that it has, or will get.
        description: The file's description in the error.

    Raises:
        CheckpointError: If its SHA-256 begins differently.
    """
    expected = name_hash(name)
    if expected is None:
        return
    actual = file_sha256(file)
    if not actual.startswith(expected):
        raise CheckpointError(
            f'{description} has the SHA-256 {actual[:16]}…, not the {expected} that its name '
            'announces: it is damaged, or another file. Delete it and fetch it again. If you trust '
            'it as it is, set teacher.checkpoint to its local path: a local file is not checked '
            'against its name.'
        )
