"""Loads checkpoints of the MM family without running code from them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

from mmdet_kdrank.environment.bounds import release
from mmdet_kdrank.safe_globals import allowed_names, restricted_pickle

# From here on torch.load refuses by default what is not on its allow-list.
SAFE_BY_DEFAULT = release(torch.__version__) >= (2, 6)


class CheckpointError(RuntimeError):
    """A checkpoint is missing, unreadable or refused."""


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
        source: A path or a URL; a URL is fetched once, into torch's hub folder.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: One paragraph that names the file and the mend.
    """
    source = str(source)
    remote = '://' in source
    if not remote and not Path(source).expanduser().is_file():
        raise CheckpointError(
            f'Checkpoint {source} does not exist. Correct the path, or download the file there.'
        )
    try:
        checkpoint = _load(source, remote)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_unpickling(source, str(error))) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(_unreadable(source, error)) from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f'Checkpoint {source} holds a {type(checkpoint).__name__}, not a dict. Save a '
            "state_dict, or a dict with the key 'state_dict', instead of a whole module."
        )
    return checkpoint


def _load(source: str, remote: bool) -> Any:
    allow_mmengine_checkpoints()
    if source.startswith(('http://', 'https://')):
        # Not by MMEngine, which waits for rank 0 here: for ever, if that one fails.
        source = _download(source)
    elif remote and not SAFE_BY_DEFAULT:
        raise ValueError('before torch 2.6 only local files and http(s) URLs are loaded safely')
    if SAFE_BY_DEFAULT:
        return CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
    # torch's own short list grew into add_safe_globals only later; here it is extended by hand.
    names = {**torch._weights_only_unpickler._get_allowed_globals(), **allowed_names()}
    return torch.load(
        Path(source).expanduser(),
        map_location='cpu',
        weights_only=False,
        pickle_module=restricted_pickle(names),
    )


def _download(url: str) -> str:
    file = Path(torch.hub.get_dir()) / 'checkpoints' / url.rpartition('/')[2]
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        # Into a file of its own name first: processes that do the same do not meet.
        torch.hub.download_url_to_file(url, str(file), progress=False)
    return str(file)


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
