"""The names that a checkpoint of the MM family may use; each is harmless with any arguments."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint

from mmdet_kdrank.checkpoints.stand_ins import (
    StoredArray,
    StoredDtype,
    StoredHistoryBuffer,
    number_dtype,
    refuse,
)
from mmdet_kdrank.environment.families import release

# From torch 2.6 on, torch.load refuses by default every name that is not on its allow-list.
SAFE_BY_DEFAULT = release(torch.__version__) >= (2, 6)

_STATISTICS = ('min', 'max', 'current', 'mean')


def history_statistic(owner: object, name: str) -> str:
    """Stand in for `getattr`, with which MMEngine's log buffers name their statistics.

    With the real one, a malicious file could get from a harmless object to `os.system`.

    Returns:
        The name alone, which is then ignored (see :class:`~.stand_ins.StoredHistoryBuffer`).

    Raises:
        pickle.UnpicklingError: For any other object or name.
    """
    known = owner is StoredHistoryBuffer or owner is HistoryBuffer
    if known and isinstance(name, str) and name in _STATISTICS:
        return name
    refuse(f'getattr of a {type(owner).__name__} and {name!r:.40}')


def latin1(text: str, encoding: str) -> bytes:
    """Stand in for `_codecs.encode`, with which protocol 2 writes bytes.

    Raises:
        pickle.UnpicklingError: For another encoding, because its codec could be any code.
    """
    if isinstance(text, str) and isinstance(encoding, str) and encoding == 'latin1':
        return text.encode('latin1')
    refuse(f'encoding {encoding!r:.40}')


def no_bytes() -> bytes:
    """Stand in for `bytes`, with which protocol 2 writes empty bytes."""
    return b''


def empty_array(kind: object, shape: object, code: object) -> StoredArray:
    """Stand in for numpy's `_reconstruct`; the arguments are ignored, the state fills the array."""
    return np.ndarray.__new__(StoredArray, (0,), np.int8)


def number(kind: object, data: bytes) -> np.generic:
    """Stand in for numpy's `scalar`.

    Raises:
        pickle.UnpicklingError: For anything but one number of a known dtype.
    """
    dtype = number_dtype(kind)
    if type(data) is not bytes or len(data) != dtype.itemsize:
        refuse('a scalar of another size than its bytes')
    return np.frombuffer(data, dtype)[0]


def allowed_names() -> dict[str, Any]:
    """Return the allow-list beyond torch's own, as object by full name."""
    names = {
        # Milestones of a schedule; newer versions of torch have it on their own list.
        'collections.Counter': Counter,
        'mmengine.logging.history_buffer.HistoryBuffer': StoredHistoryBuffer,
        'builtins.getattr': history_statistic,
        'builtins.bytes': no_bytes,
        '_codecs.encode': latin1,
        'numpy.ndarray': StoredArray,
        'numpy.dtype': StoredDtype,
    }
    # numpy 2 moved these; a file may come from either version.
    for core in ('core', '_core'):
        names[f'numpy.{core}.multiarray._reconstruct'] = empty_array
        names[f'numpy.{core}.multiarray.scalar'] = number
    return names


def allow_mmengine_checkpoints() -> None:
    """Let `torch.load` read MMEngine's own checkpoints while it, and MMEngine, still refuse code.

    A name that is on torch's list already keeps its meaning. Before torch 2.6, `torch.load` refuses
    nothing by default and has no such list, so nothing is changed.
    """
    if SAFE_BY_DEFAULT:
        listed = torch.serialization.get_safe_globals()
        listed_names = {
            entry[1] if isinstance(entry, tuple) else f'{entry.__module__}.{entry.__qualname__}'
            for entry in listed
        }
        torch.serialization.add_safe_globals(
            [(value, name) for name, value in allowed_names().items() if name not in listed_names]
        )
        # OneDL's MMEngine loads without restrictions what torch.load has refused.
        if hasattr(mmengine_checkpoint, '_safe_torch_load'):
            mmengine_checkpoint._safe_torch_load = torch.load
