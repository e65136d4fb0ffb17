"""What stands in, while a checkpoint is read, for objects of numpy and MMEngine.

Their own constructors and `__setstate__` trust the file: an object array over bytes of its choice
reads forged pointers, a forged dtype too, and a log buffer changes its class for the whole process.
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
        pickle.UnpicklingError: Always, in the words that `load_checkpoint` knows for a refusal.
    """
    raise pickle.UnpicklingError(f'refused: {what} is nothing a checkpoint needs')


class StoredDtype:
    """A `numpy.dtype` of numbers; on its own it stays this, and `numpy.dtype` takes it for its own.

    Raises:
        pickle.UnpicklingError: For any other kind.
    """

    __slots__ = ('dtype',)

    def __init__(self, name: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(name, str) or name not in _NUMBERS:
            refuse(f'a dtype {name!r:.40}')
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple) -> None:
        # Of a number's state the byte order alone means anything; the rest are sizes and flags.
        if not isinstance(state, tuple) or state[1] not in ('<', '>', '=', '|'):
            refuse('the state of a dtype without a byte order')
        self.dtype = self.dtype.newbyteorder(state[1])

    def __reduce__(self) -> Any:
        return self.dtype.__reduce__()


def number_dtype(kind: Any) -> np.dtype:
    """Return the dtype behind a stand-in, or behind a real one that somebody else allowed.

    Raises:
        pickle.UnpicklingError: If it is neither, or not one of numbers.
    """
    if type(kind) is StoredDtype:
        return kind.dtype
    if isinstance(kind, np.dtype) and kind.str[1:] in _NUMBERS:
        # A new one by its name: what else a real one holds may come from the file.
        return np.dtype(kind.str)
    refuse('an array or scalar of something else than numbers')


class StoredArray(np.ndarray):
    """An array of numbers, filled once, and saved as the plain `numpy.ndarray` that it is."""

    # Without a __dict__ there is nothing more to set on it.
    __slots__ = ()

    # numpy makes its own, copies and views too, without it.
    def __new__(cls, *_: Any, **__: Any) -> StoredArray:  # noqa: D102
        refuse('a call of numpy.ndarray')

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        dtype = number_dtype(kind)
        # Filled again, it would free memory that a tensor may share by then.
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
    """A log buffer; once filled it is a plain `HistoryBuffer` with plain arrays.

    The statistics that the file names are left out. `HistoryBuffer.__setstate__` would write them
    into the class, for every buffer of the process; the four that MMEngine has are there anyway.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # numpy.array would follow the __array_interface__ of what is given.
        refuse('a call of HistoryBuffer')

    def __setstate__(self, state: dict) -> None:
        history, counts = state['_log_history'], state['_count_history']
        # The real class where somebody else allowed it.
        if type(history) not in _ARRAYS or type(counts) not in _ARRAYS:
            refuse('a log buffer without arrays')
        if type(state['max_length']) is not int:
            refuse('a log buffer of such a length')
        self.__class__ = HistoryBuffer
        self._set_default_statistics()
        self._log_history, self._count_history = np.asarray(history), np.asarray(counts)
        self.max_length = state['max_length']


_ARRAYS = (StoredArray, np.ndarray)
