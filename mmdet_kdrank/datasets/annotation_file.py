"""Reading a COCO annotation file, as the reader of pycocotools can."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from mmdet_kdrank.errors import DataError, MissingFileError

_LISTS = ('images', 'annotations', 'categories')
_MARKS = {
    codecs.BOM_UTF8: 'UTF-8 with a byte order mark',
    codecs.BOM_UTF16_LE: 'UTF-16',
    codecs.BOM_UTF16_BE: 'UTF-16',
}


# The data set and its evaluator mostly share a file.
@lru_cache(maxsize=1)
def read_annotations(file: Path, training: bool = True) -> dict[str, list]:
    """Read a file in the format of COCO.

    Args:
        file: Such as COCO's ``instances_*.json``.
        training: Whether annotations are required; files of test images have none.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is no JSON in UTF-8, or lacks a list.

    Returns:
        Its content.
    """
    if not file.is_file():
        raise MissingFileError(
            f'Annotation file {file} does not exist. Correct ann_file or data_root of the data '
            'set; a relative path starts at the folder in which the command runs.'
        )
    content = _parsed(file)
    if isinstance(content, dict) and not training:
        content.setdefault('annotations', [])
    for name in _LISTS:
        entries = content.get(name) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DataError(
                f'Annotation file {file} has no list of objects under {name!r}. Write it in the '
                f'format of COCO, with the lists {", ".join(_LISTS)}.'
            )
    return content


def _parsed(file: Path) -> object:
    raw = file.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), None)
    try:
        # JSON alone may be UTF-16 without a mark; pycocotools reads UTF-8.
        text = raw.decode('utf-8') if encoding is None else ''
    except UnicodeDecodeError:
        encoding = 'no UTF-8'
    if encoding is not None or '\0' in text[:4]:
        raise DataError(
            f'Annotation file {file} is {encoding or "UTF-16"}, which pycocotools cannot read. '
            'Save it as UTF-8 without a byte order mark.'
        )
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(
            f'Annotation file {file} is no JSON ({error}): it is empty, truncated or the wrong '
            'file. Write or fetch it again.'
        ) from error


def listed(names: Sequence[str], most: int = 6) -> str:
    """Join names for a message, the first ones of many.

    Args:
        names: Class names, as a rule.
        most: How many are named.

    Returns:
        Them with commas, and … where some are left out.
    """
    return ', '.join(map(str, names[:most])) + (', …' if len(names) > most else '')
