"""The names that a checkpoint of the MM family may use; each is harmless whatever its arguments."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_NUMPY_KINDS = '?bBhHiIlLqQefd'
_STATISTICS = ('min', 'max', 'current', 'mean')


def history_statistic(owner: object, name: str) -> Any:
    """Stands in for `getattr`, which MMEngine's log buffers use to name their statistics.

    The real one would hand a malicious file the way from a harmless object to `os.system`.

    Raises:
        pickle.UnpicklingError: Asked for anything else.
    """
    if owner is HistoryBuffer and name in _STATISTICS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(
        f'refused: getattr({owner!r}, {name!r}) is nothing a checkpoint needs'
    )


def latin1(text: str, encoding: str) -> bytes:
    """Stands in for `_codecs.encode`, by which protocol 2 writes the bytes of a numpy scalar.

    Raises:
        pickle.UnpicklingError: Asked for another encoding, whose codec could be any code.
    """
    if encoding == 'latin1' and isinstance(text, str):
        return text.encode(encoding)
    raise pickle.UnpicklingError(f'refused: encoding {encoding!r} is nothing a checkpoint needs')


def allowed_names() -> dict[str, Any]:
    """Returns the allow-list beyond torch's own, as object by full name."""
    # Object arrays stay refused, so their dtype class is not among these.
    dtypes = {type(np.dtype(kind)) for kind in _NUMPY_KINDS}
    # Both are private; what pickles refer to is what __reduce__ names.
    reconstruct, scalar = np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]
    names = {
        # Milestones of a schedule; newer torch has it on its own list.
        'collections.Counter': Counter,
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        'builtins.getattr': history_statistic,
        '_codecs.encode': latin1,
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
        **{f'numpy.dtypes.{dtype.__name__}': dtype for dtype in dtypes},
    }
    # numpy 2 moved these; a file may come from either side.
    for core in ('core', '_core'):
        names[f'numpy.{core}.multiarray._reconstruct'] = reconstruct
        names[f'numpy.{core}.multiarray.scalar'] = scalar
    return names


def restricted_pickle(
    names: Mapping[str, Any], records: Mapping[str, int] | None = None
) -> SimpleNamespace:
    """Builds what `torch.load(pickle_module=...)` takes, for a torch without an allow-list.

    Args:
        names: Object by full name; every other name is refused.
        records: Bytes of each record of the archive by key. A tensor that declares more than its
            record has is refused: such a torch would let it read past the end.

    Returns:
        A stand-in for the module `pickle`.
    """

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            # Protocol 2, which torch writes, has Python 2's name for it.
            full = f'{"builtins" if module == "__builtin__" else module}.{name}'
            if full not in names:
                raise pickle.UnpicklingError(f'refused: {full} is nothing a checkpoint needs')
            return names[full]

        # torch sets it on the instance, before it loads.
        @property
        def persistent_load(self) -> Any:
            return super().persistent_load

        @persistent_load.setter
        def persistent_load(self, load: Callable[[tuple], Any]) -> None:
            def checked(storage: tuple) -> Any:
                _check_size(storage, records)
                return load(storage)

            pickle.Unpickler.persistent_load.__set__(self, checked if records else load)

    def load(file: Any, **kwargs: Any) -> Any:
        return Unpickler(file, **kwargs).load()

    return SimpleNamespace(Unpickler=Unpickler, load=load, __name__='restricted_pickle')


def _check_size(storage: tuple, records: Mapping[str, int]) -> None:
    """Refuses a persistent id ``('storage', type, key, location, numel)`` beyond its record."""
    _, kind, key, _, numel = storage
    dtype = getattr(kind, 'dtype', torch.uint8)
    if numel * dtype.itemsize > records.get(key, 0):
        raise pickle.UnpicklingError(
            f'refused: record {key!r} has {records.get(key, 0)} bytes and declares {numel} values'
        )
