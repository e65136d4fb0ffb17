"""Logits in a file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.claims.logits import LogitSet
from mmdet_kdrank.errors import DataError, MissingFileError

_NAMES = ('student', 'teacher', 'labels')


def save_logits(path: Path, sets: list[LogitSet], made: dict[str, Any]) -> None:
    """Write sets of logits, in float32, compressed.

    Args:
        path: The file.
        sets: What is written; all of one activation.
        made: How they came about, of plain JSON types.
    """
    arrays = {
        f'{logits.name}.{name}': getattr(logits, name).numpy().astype(kind)
        for logits in sets
        for name, kind in zip(_NAMES, ('float32', 'float32', 'int16'), strict=True)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, activation=sets[0].activation, made=json.dumps(made), **arrays)


def read_logits(path: Path) -> tuple[list[LogitSet], dict[str, Any]]:
    """Read what :func:`save_logits` wrote.

    Args:
        path: The file.

    Returns:
        The sets, and how they came about.

    Raises:
        MissingFileError: If there is no such file.
        DataError: If it is not of this kind, or its arrays do not fit together.
    """
    if not path.is_file():
        raise MissingFileError(f'{path} does not exist. Write one with --save-logits.')
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        made, activation = json.loads(str(arrays.pop('made'))), str(arrays.pop('activation'))
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f'{path} is no file of logits ({error}). Write one with --save-logits.'
        ) from error
    sets = []
    for name in dict.fromkeys(key.rsplit('.', 1)[0] for key in arrays):
        student, teacher, labels = (arrays.get(f'{name}.{part}') for part in _NAMES)
        if (
            student is None
            or teacher is None
            or labels is None
            or student.shape != teacher.shape
            or labels.shape != student.shape[:1]
            or not np.isfinite(student).all()
            or not np.isfinite(teacher).all()
        ):
            raise DataError(
                f'{path}: the arrays of {name!r} are missing, not finite or of shapes that do not '
                'fit together. Write the file anew with --save-logits.'
            )
        tensors = torch.from_numpy(student).double(), torch.from_numpy(teacher).double()
        sets.append(LogitSet(name, *tensors, torch.from_numpy(labels).long(), activation))
    return sets, made
