"""Loads checkpoints of the MM family without running code from them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

from mmdet_kdrank.checkpoint_file import check_file, record_sizes
from mmdet_kdrank.download import fetch
from mmdet_kdrank.environment.bounds import release
from mmdet_kdrank.errors import CheckpointError
from mmdet_kdrank.safe_globals import allowed_names, restricted_pickle

# From here on torch.load refuses by default what is not on its allow-list.
SAFE_BY_DEFAULT = release(torch.__version__) >= (2, 6)


def allow_mmengine_checkpoints() -> None:
    """Lets `torch.load` read MMEngine's own checkpoints while it still refuses code.

    Before torch 2.6 `torch.load` refuses nothing by default and has no such list; it is left alone.
    """
    if SAFE_BY_DEFAULT:
        torch.serialization.add_safe_globals(
            [(value, name) for name, value in allowed_names().items()]
        )


def load_checkpoint(source: str | Path) -> dict[str, Any]:
    """Loads a checkpoint onto the CPU, and nothing but data from it.

    Args:
        source: A path, or a URL, which is fetched once a machine (see
            :func:`mmdet_kdrank.download.fetch`). A name that ends in ``.safetensors`` is read by
            the package of that name.

    Returns:
        The checkpoint; of a safetensors file, its tensors under ``'state_dict'``.

    Raises:
        CheckpointError: One paragraph that names the file and the mend.
    """
    source = str(source)
    if source.startswith(('http://', 'https://')):
        checkpoint = _load(fetch(source), source)
    elif '://' in source:
        checkpoint = _load_scheme(source)
    else:
        file = Path(source).expanduser()
        if not file.is_file():
            raise CheckpointError(
                f'Checkpoint {source} {"is a folder" if file.is_dir() else "does not exist"}. '
                'Correct the path, or download the file there.'
            )
        checkpoint = _load(file, source)
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f'Checkpoint {source} holds a {type(checkpoint).__name__}, not a dict. Save a '
            "state_dict, or a dict with the key 'state_dict', instead of a whole module."
        )
    return checkpoint


@contextmanager
def _explained(source: str) -> Iterator[None]:
    try:
        yield
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        raise CheckpointError(_unpickling(source, str(error))) from error
    except Exception as error:
        # A damaged or hostile pickle makes its reader raise anything: TypeError, IndexError, ….
        raise CheckpointError(_unreadable(source, error)) from error


def _load(file: Path, source: str) -> Any:
    with _explained(source):
        check_file(file, source)
        if file.suffix == '.safetensors':
            return _load_safetensors(file, source)
        if SAFE_BY_DEFAULT:
            allow_mmengine_checkpoints()
            return torch.load(file, map_location='cpu', weights_only=True)
        # torch's own short list grew into add_safe_globals only later; here it is extended by hand.
        names = {**torch._weights_only_unpickler._get_allowed_globals(), **allowed_names()}
        return torch.load(
            file,
            map_location='cpu',
            weights_only=False,
            pickle_module=restricted_pickle(names, record_sizes(file)),
        )


def _load_scheme(source: str) -> Any:
    """MMEngine's other backends: ``torchvision://``, ``open-mmlab://``, ``s3://``, …."""
    if not SAFE_BY_DEFAULT:
        raise CheckpointError(
            f'Checkpoint {source}: before torch 2.6 only local files and http(s) URLs are loaded '
            'safely. Give one of these.'
        )
    with _explained(source):
        allow_mmengine_checkpoints()
        return CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')


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
    # torch wraps both in the same exception; only its refusals speak of what is unsupported.
    refused = ('refused:', 'Unsupported', 'unsupported', 'Trying to', 'Can only', 'blocked')
    if not any(word in message for word in refused) or 'Unsupported operand' in message:
        return _unreadable(source, message)
    reason = next(
        (line for line in message.splitlines() if any(word in line for word in refused)), message
    )
    return (
        f'Checkpoint {source} was refused: it holds more than data, and loading it could run code '
        f'({reason.strip()}). If you trust where it comes from, load it once with '
        "torch.load(..., weights_only=False) and save only its 'state_dict' and 'meta' to a new "
        'file.'
    )


def _unreadable(source: str, error: object) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f'Checkpoint {source} cannot be read ({first}): it is truncated, or no checkpoint of '
        "torch.save. Fetch or write it again; a URL's copy lies in the folder checkpoints/ of "
        "torch's hub directory (torch.hub.get_dir()) and has to be deleted first."
    )
