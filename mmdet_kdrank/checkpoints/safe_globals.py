"""The names that a checkpoint of the MM family may use; each is harmless whatever its arguments."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer

from mmdet_kdrank.checkpoints.stand_ins import (
    StoredArray,
    StoredDtype,
    StoredHistoryBuffer,
    number_dtype,
    refuse,
)

_STATISTICS = ('min', 'max', 'current', 'mean')


def history_statistic(owner: object, name: str) -> str:
    """Stands in for `getattr`, by which MMEngine's log buffers name their statistics.

    The real one would hand a malicious file the way from a harmless object to `os.system`.

    Returns:
        The name alone: it is left out (see :class:`~.stand_ins.StoredHistoryBuffer`).

    Raises:
        pickle.UnpicklingError: Asked for anything else.
    """
    known = owner is StoredHistoryBuffer or owner is HistoryBuffer
    if known and isinstance(name, str) and name in _STATISTICS:
        return name
    refuse(f'getattr of a {type(owner).__name__} and {name!r:.40}')


def latin1(text: str, encoding: str) -> bytes:
    """Stands in for `_codecs.encode`, by which protocol 2 writes bytes.

    Raises:
        pickle.UnpicklingError: Asked for another encoding, whose codec could be any code.
    """
    if isinstance(text, str) and isinstance(encoding, str) and encoding == 'latin1':
        return text.encode('latin1')
    refuse(f'encoding {encoding!r:.40}')


def no_bytes() -> bytes:
    """Stands in for `bytes`, by which protocol 2 writes empty ones."""
    return b''


def empty_array(kind: object, shape: object, code: object) -> StoredArray:
    """Stands in for numpy's `_reconstruct`; whatever it is asked for, the state fills it."""
    return np.ndarray.__new__(StoredArray, (0,), np.int8)


def number(kind: object, data: bytes) -> np.generic:
    """Stands in for numpy's `scalar`.

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
        # Milestones of a schedule; newer torch has it on its own list.
        'collections.Counter': Counter,
        'mmengine.logging.history_buffer.HistoryBuffer': StoredHistoryBuffer,
        'builtins.getattr': history_statistic,
        'builtins.bytes': no_bytes,
        '_codecs.encode': latin1,
        'numpy.ndarray': StoredArray,
        'numpy.dtype': StoredDtype,
    }
    # numpy 2 moved these; a file may come from either side.
    for core in ('core', '_core'):
        names[f'numpy.{core}.multiarray._reconstruct'] = empty_array
        names[f'numpy.{core}.multiarray.scalar'] = number
    return names
