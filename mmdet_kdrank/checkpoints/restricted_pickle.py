"""A pickle reader for a torch without an allow-list, as strict as later versions of torch."""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import torch

from mmdet_kdrank.checkpoints.stand_ins import (
    StoredArray,
    StoredDtype,
    StoredHistoryBuffer,
    refuse,
)

_Load = Callable[[Any], None]
_DICTS = (dict, OrderedDict, Counter)
_BUILT = (OrderedDict, StoredArray, StoredDtype, StoredHistoryBuffer)


def restricted_pickle(
    names: Mapping[str, Any], record_size: Callable[[str], int] | None = None
) -> SimpleNamespace:
    """Build what `torch.load(pickle_module=...)` takes.

    Args:
        names: Object by full name; every other name is refused.
        record_size: Bytes of a record of the archive by key, None for a file that is no archive. A
            tensor that declares more bytes than its record has is refused, because this torch would
            read past the end of the record.

    Returns:
        A stand-in for the module `pickle`.
    """

    # The reader in Python, as in torch.package: the one in C cannot be restricted per operation.
    class Unpickler(pickle._Unpickler):
        dispatch = dict(_DISPATCH)

        def find_class(self, module: str, name: str) -> Any:
            # Protocol 2, which torch writes, uses Python 2's name of the module.
            full = f'{"builtins" if module == "__builtin__" else module}.{name}'
            return names[full] if full in names else refuse(full)

        def load_binpersid(self) -> None:
            _check_storage(self.stack[-1], record_size)
            super().load_binpersid()

        dispatch[pickle.BINPERSID[0]] = load_binpersid

    def load(file: Any, **kwargs: Any) -> Any:
        return Unpickler(file, **kwargs).load()

    return SimpleNamespace(Unpickler=Unpickler, load=load, __name__='restricted_pickle')


def _check_storage(declared: Any, record_size: Callable[[str], int] | None) -> None:
    """Refuse a persistent id ``('storage', type, key, location, numel)`` beyond its record."""
    # An id of a 'module' would make torch compare, and perhaps write, source files.
    if type(declared) is not tuple or declared[0] != 'storage':
        refuse('a persistent id of anything but a storage')
    if record_size is None:
        return
    _, kind, key, _, numel = declared
    dtype = torch.uint8 if kind is torch.UntypedStorage else getattr(kind, 'dtype', None)
    if not isinstance(dtype, torch.dtype) or type(key) is not str or type(numel) is not int:
        refuse('a storage with such a declaration')
    if not 0 <= numel * dtype.itemsize <= record_size(key):
        raise pickle.UnpicklingError(
            f'refused: record {key!r} has {record_size(key)} bytes and declares {numel} values'
        )


def _only_on(opcode: bytes, kinds: tuple[type, ...]) -> _Load:
    """Return the operation, restricted to objects of these classes."""
    load = pickle._Unpickler.dispatch[opcode[0]]

    def checked(reader: Any) -> None:
        if opcode in (pickle.APPENDS, pickle.SETITEMS, pickle.ADDITEMS):
            target = reader.metastack[-1][-1]
        else:
            target = reader.stack[-3 if opcode == pickle.SETITEM else -2]
        if type(target) not in kinds:
            refuse(f'a change of a {type(target).__name__}')
        load(reader)

    return checked


# EXT1, EXT2 and EXT4 name objects by a number that other code of the process registered.
_DISPATCH: dict[int, _Load] = {
    code: load
    for code, load in pickle._Unpickler.dispatch.items()
    if code not in (pickle.EXT1[0], pickle.EXT2[0], pickle.EXT4[0])
}
_DISPATCH.update(
    {
        opcode[0]: _only_on(opcode, kinds)
        for opcode, kinds in {
            pickle.BUILD: _BUILT,
            pickle.SETITEM: _DICTS,
            pickle.SETITEMS: _DICTS,
            pickle.APPEND: (list,),
            pickle.APPENDS: (list,),
            pickle.ADDITEMS: (set,),
        }.items()
    }
)
