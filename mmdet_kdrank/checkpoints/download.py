"""Fetching a checkpoint, whole and checked, or not at all."""

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
"""Seconds without a byte after which a server counts as gone."""

_CHUNK = 1 << 20
# The convention of torch.hub and of OpenMMLab's publish_model.py.
_HASH = re.compile(r'-([0-9a-f]{8,64})\.[a-z]+$')


def fetch(url: str) -> Path:
    """Fetch a file once a machine, into the folder ``checkpoints/`` of torch's hub folder.

    Two URLs may end in the same name. Where it carries no hash to tell their files apart, the file
    lies in a folder of its own there, named by a hash of the URL.

    The file appears under its name only when it is whole: as long as the server announced, and with
    the SHA-256 that its name announces. A file that is there already is held to the same hash.

    Processes that fetch the same file do so one after the other, or each its own copy; the last
    one stays.

    Args:
        url: An http or https URL.

    Returns:
        The local file.

    Raises:
        CheckpointError: If the file cannot be had whole; names the folder to put it in by hand.
    """
    name = _file_name(url)
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    if name_hash(name) is None:
        folder /= fingerprint(url)[:12]
    _ensure(url, folder / name)
    return folder / name


def name_hash(name: str) -> str | None:
    """Return the beginning of the SHA-256 that a file name carries.

    Args:
        name: As ``retinanet_r50-c4a1b2d3.pth``.

    Returns:
        Eight or more hex digits; None without any, or where they are a date (``-20200130.pth``).
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
    """Return the last component of a URL's path, with nothing in it that leads out of a folder."""
    # Decoded first: an encoded slash separates too.
    name = os.path.basename(unquote(urlparse(url).path))
    if name in ('', '.', '..') or not name.isprintable():
        raise CheckpointError(f'{url} names no file. Give the URL of the checkpoint itself.')
    return name


def _ensure(url: str, file: Path) -> None:
    by_hand = f'or fetch {file.name} elsewhere and put it into {file.parent} by hand'
    partial = file.with_name(f'{file.name}.{uuid.uuid4().hex}.partial')
    try:
        if file.is_file():
            check_hash(file, file.name, f'{file}, which an earlier download of {url} left,')
            print_log(f'Taking {file}, an earlier download of {url}.', logger='current')
            return
        print_log(f'Downloading {url} to {file}.', logger='current')
        file.parent.mkdir(parents=True, exist_ok=True)
        received, announced = _download(url, partial)
        if announced is not None and received != announced:
            raise CheckpointError(
                f'The download of {url} broke off after {received} of {announced} bytes, and was '
                f'thrown away. Try again, {by_hand}.'
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
    """Write what a URL gives; the bytes received, and those announced."""
    request = Request(url, headers={'User-Agent': 'mmdet_kdrank'})
    with urlopen(request, timeout=TIMEOUT) as response, target.open('wb') as stream:
        # http.client takes a connection that closes too early for the end of the file.
        while chunk := response.read(_CHUNK):
            stream.write(chunk)
        length = response.headers.get('Content-Length')
        return stream.tell(), None if length is None else int(length)


def check_hash(file: Path, name: str, called: str) -> None:
    """Hold a file to the hash that a name carries; passes where it carries none.

    Args:
        file: What to read.
        name: The name it has, or is to get.
        called: What to call it in an error.

    Raises:
        CheckpointError: If its SHA-256 begins otherwise.
    """
    expected = name_hash(name)
    if expected is None:
        return
    found = file_sha256(file)
    if not found.startswith(expected):
        raise CheckpointError(
            f'{called} has the SHA-256 {found[:16]}…, not the {expected} that its '
            'name announces: it is damaged, or another file. Delete it and fetch it again; if you '
            'trust it as it is, give teacher.checkpoint its local path, which is not held to the '
            'name.'
        )
