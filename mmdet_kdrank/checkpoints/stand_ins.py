"""Stand-ins for objects of numpy and MMEngine, while a checkpoint is read.

Their own constructors and `__setstate__` trust the file. An object array or a dtype from a
malicious file could read forged pointers. A log buffer could change its class in the whole process.
"""

from __future__ import annotations

import math
import pickle
from typing import Any, NoReturn

import numpy as np
from mmengine.logging import HistoryBuffer

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
