"""The names that a checkpoint of the MM family may use, and what they stand for while it is read.

Every name is harmless with any arguments. Objects of numpy and MMEngine are replaced by stand-ins,
because their own constructors and `__setstate__` trust the file. An object array or a dtype from a
malicious file could read forged pointers. A log buffer could change its class in the whole process.
"""

from __future__ import annotations

import math
import pickle
from collections import Counter
from typing import Any, NoReturn

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmdet_kdrank.environment.versions import release

# From torch 2.6 on, torch.load refuses by default every name that is not on its allow-list.
SAFE_BY_DEFAULT = release(torch.__version__) >= (2, 6)

# Without byte order, as pickles name them. No object, void, string or date.
_NUMBERS = {np.dtype(kind).str[1:] for kind in '?bBhHiIlLqQefd'}


def refuse(what: str) -> NoReturn:
    """End the reading of a file.

    Raises:
        pickle.UnpicklingError: Always, with a text that `load_checkpoint` recognises as a refusal.
    """
    raise pickle.UnpicklingError(f'refused: {what} is nothing a checkpoint needs')


class StoredDtype:
    """Stands in for a `numpy.dtype` of numbers; `numpy.dtype` accepts it in place of its own.

    Raises:
        pickle.UnpicklingError: For any other dtype.
    """

    __slots__ = ('dtype',)

    def __init__(self, name: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(name, str) or name not in _NUMBERS:
            refuse(f'a dtype {name!r:.40}')
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple) -> None:
        # Of a number's state, only the byte order is needed; the rest are sizes and flags.
        if not isinstance(state, tuple) or state[1] not in ('<', '>', '=', '|'):
            refuse('the state of a dtype without a byte order')
        self.dtype = self.dtype.newbyteorder(state[1])

    def __reduce__(self) -> Any:
        return self.dtype.__reduce__()


def number_dtype(kind: Any) -> np.dtype:
    """Return the dtype of a stand-in, or a real dtype that other code added to the allow-list.

    Raises:
        pickle.UnpicklingError: If it is neither, or no dtype of numbers.
    """
    if type(kind) is StoredDtype:
        return kind.dtype
    if isinstance(kind, np.dtype) and kind.str[1:] in _NUMBERS:
        # A new dtype by its name, because the real one's other state may come from the file.
        return np.dtype(kind.str)
    refuse('an array or scalar of anything but numbers')


class StoredArray(np.ndarray):
    """An array of numbers that is filled once; it is saved as a plain `numpy.ndarray`."""

    # Without a __dict__, a file can set no attributes on it.
    __slots__ = ()

    # numpy creates arrays, copies and views without calling this.
    def __new__(cls, *_: Any, **__: Any) -> StoredArray:  # noqa: D102
        refuse('a call of numpy.ndarray')

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        dtype = number_dtype(kind)
        # A second filling would free memory that a tensor may share by then.
        if self.size or type(data) is not bytes or type(shape) is not tuple:
            refuse('an array filled twice, or with anything but bytes')
        if not all(type(length) is int and length >= 0 for length in shape):
            refuse('an array with such a shape')
        if math.prod(shape) * dtype.itemsize != len(data):
            refuse('an array of another size than its bytes')
        super().__setstate__((1, shape, dtype, fortran is True, data))

    def __reduce_ex__(self, protocol: int) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)


class StoredHistoryBuffer(HistoryBuffer):
    """Stands in for a log buffer; once filled, it is a plain `HistoryBuffer` with plain arrays.

    The statistics that the file names are ignored. `HistoryBuffer.__setstate__` would write them
    into the class, for every buffer of the process. MMEngine's own four are in the class anyway.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # numpy.array would follow the __array_interface__ of its argument.
        refuse('a call of HistoryBuffer')

    def __setstate__(self, state: dict) -> None:
        history, counts = state['_log_history'], state['_count_history']
        # The class may also be numpy's own, if other code added it to the allow-list.
        if type(history) not in _ARRAYS or type(counts) not in _ARRAYS:
            refuse('a log buffer without arrays')
        if type(state['max_length']) is not int:
            refuse('a log buffer of such a length')
        self.__class__ = HistoryBuffer
        self._set_default_statistics()
        self._log_history, self._count_history = np.asarray(history), np.asarray(counts)
        self.max_length = state['max_length']


_ARRAYS = (StoredArray, np.ndarray)

_STATISTICS = ('min', 'max', 'current', 'mean')


def history_statistic(owner: object, name: str) -> str:
    """Stand in for `getattr`, with which MMEngine's log buffers name their statistics.

    With the real one, a malicious file could get from a harmless object to `os.system`.

    Returns:
        The name alone, which is then ignored (see :class:`StoredHistoryBuffer`).

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
    """Let `torch.load` read MMEngine's own checkpoints while it still refuses code.

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
