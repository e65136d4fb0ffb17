"""Loads checkpoints of the MM family without running code from them."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.fileio import get

from mmdet_kdrank.checkpoints.download import check_hash, fetch
from mmdet_kdrank.checkpoints.file_checks import check_file, record_sizes
from mmdet_kdrank.checkpoints.restricted_pickle import restricted_pickle
from mmdet_kdrank.checkpoints.safe_globals import (
    SAFE_BY_DEFAULT,
    allow_mmengine_checkpoints,
    allowed_names,
)
from mmdet_kdrank.errors import CheckpointAccessError, CheckpointError


def load_checkpoint(source: str | Path) -> dict[str, Any]:
    """Load a checkpoint onto the CPU, and nothing but data from it.

    Args:
        source: A path, a URL, or an address that a file backend of MMEngine reads (``s3://``). A
            URL is fetched once per machine, see
            :func:`mmdet_kdrank.checkpoints.download.fetch`. A name that ends in ``.safetensors`` is
            read by the package safetensors.

    Returns:
        The checkpoint; of a safetensors file, its tensors under ``'state_dict'``.

    Raises:
        CheckpointError: One paragraph that names the file and the fix.
        CheckpointAccessError: A subclass, if memory, disk or permissions failed; the file itself
            may be whole.
    """
    source = str(source)
    if source.lower().startswith(('http://', 'https://')):
        checkpoint = _load_url(source)
    elif '://' in source:
        checkpoint = _load_address(source)
    else:
        checkpoint = _load(Path(source).expanduser(), source)
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f'Checkpoint {source} holds a {type(checkpoint).__name__}, not a dict. Save a '
            "state_dict, or a dict with the key 'state_dict', instead of a whole module."
        )
    return checkpoint


@contextmanager
def _explained(source: str, file: Path) -> Iterator[None]:
    try:
        yield
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        raise CheckpointError(_unpickling(source, str(error))) from error
    except Exception as error:
        # A damaged or malicious pickle can make its reader raise any error.
        if _is_access_error(file, error):
            raise CheckpointAccessError(
                f'Checkpoint {source} cannot be read on this machine now ({_first_line(error)}); '
                'the file itself may be whole. Check memory, disk and permissions, and try again.'
            ) from error
        raise CheckpointError(_unreadable(source, error)) from error


def _is_access_error(file: Path, error: Exception) -> bool:
    """Return whether the machine is at fault, and not the file."""
    if isinstance(error, (MemoryError, OSError)):
        return True
    # torch raises a plain RuntimeError. A damaged file would declare more bytes than it has.
    requested = re.search(r'tried to allocate (\d+) bytes', str(error))
    return requested is not None and int(requested[1]) <= file.stat().st_size


def _load(file: Path, source: str) -> Any:
    with _explained(source, file):
        if not file.is_file():
            raise CheckpointError(
                f'Checkpoint {source} {"is a folder" if file.is_dir() else "does not exist"}. '
                'Correct the path, or download the file there.'
            )
        check_file(file, source)
        if file.suffix == '.safetensors':
            return _load_safetensors(file, source)
        if SAFE_BY_DEFAULT:
            allow_mmengine_checkpoints()
            return torch.load(file, map_location='cpu', weights_only=True)
        return _load_restricted(file, source)


def _load_restricted(file: Path, source: str) -> Any:
    if os.getenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '0').lower() in ('1', 'y', 'yes', 'true'):
        raise CheckpointAccessError(
            f'Checkpoint {source} cannot be read while TORCH_FORCE_WEIGHTS_ONLY_LOAD is set, which '
            "before torch 2.6 excludes MMEngine's checkpoints. Unset it; nothing but data is "
            'loaded without it either.'
        )
    # This torch has no add_safe_globals, so its own list is extended here.
    names = {**torch._weights_only_unpickler._get_allowed_globals(), **allowed_names()}
    return torch.load(
        file,
        map_location='cpu',
        weights_only=False,
        pickle_module=restricted_pickle(names, record_sizes(file)),
    )


def _load_url(source: str) -> Any:
    file = fetch(source)
    try:
        return _load(file, source)
    except CheckpointAccessError:
        raise
    except CheckpointError as error:
        raise CheckpointError(f'{error} The download lies in {file}; delete it first.') from error


def _load_address(source: str) -> Any:
    """Fetch the bytes alone: MMEngine's own loaders would let torch run code from them."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / os.path.basename(source)
        try:
            file.write_bytes(get(source))
        except Exception as error:
            raise CheckpointError(
                f'Checkpoint {source} cannot be fetched through a file backend of MMEngine '
                f'({type(error).__name__}: {_first_line(error)}). Give a path, an http(s) URL, or '
                'the address of a file on a storage whose backend is installed. Model names '
                '(torchvision://, open-mmlab://) are names of backbones, not of detectors.'
            ) from error
        check_hash(file, file.name, f'Checkpoint {source}')
        return _load(file, source)


def _load_safetensors(file: Path, source: str) -> dict[str, Any]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(
            f'Checkpoint {source} is a safetensors file, and the package safetensors is not '
            'installed. Run `pip install safetensors`, or give a checkpoint of torch.save.'
        ) from error
    return {'state_dict': load_file(file)}


def _unpickling(source: str, message: str) -> str:
    # torch raises the same exception for damage and for a refusal; only the texts differ.
    refused = ('refused:', 'Unsupported', 'unsupported', 'Trying to', 'Can only', 'blocked')
    if not any(word in message for word in refused) or 'Unsupported operand' in message:
        return _unreadable(source, message)
    reason = next(
        (line for line in message.splitlines() if any(word in line for word in refused)), message
    )
    return (
        f'Checkpoint {source} was refused: it holds more than data, and loading it could run code '
        f'({reason.strip()}). If you trust its origin, load it once with '
        "torch.load(..., weights_only=False) and save only its 'state_dict' and 'meta' to a new "
        'file.'
    )


def _unreadable(source: str, error: object) -> str:
    return (
        f'Checkpoint {source} cannot be read ({_first_line(error)}): it is truncated, or no '
        'checkpoint of torch.save. Fetch or write it again.'
    )


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
