"""Files that only a malicious writer makes."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

RECONSTRUCT = np.empty(0).__reduce__()[0]
SCALAR = np.float64(0).__reduce__()[0]


class Reduced:
    """Pickles as a call of any function, and then a change of what it returns."""

    def __init__(self, function, *args, state=None):
        self.call = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.call


def array(kind, data, shape):
    """An array filled with any bytes as any dtype."""
    return Reduced(RECONSTRUCT, np.ndarray, (0,), b'b', state=(1, shape, kind, False, data))


def pointers(address=0x4141414141414140):
    """What numpy takes for an array of four objects at an address."""
    interface = dict(data=(address, False), shape=(4,), typestr='|O', version=3)
    return Reduced(OrderedDict, state=dict(__array_interface__=interface))


def change(file: Path, rewritten) -> None:
    """Writes an archive anew with ``rewritten(name, data)`` in place of each name and data."""
    with zipfile.ZipFile(file) as archive:
        records = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(file, 'w') as archive:
        for name, data in records:
            archive.writestr(*rewritten(name, data))
