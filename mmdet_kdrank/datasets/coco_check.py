"""Finds faults of a COCO annotation file that MMDetection accepts, or notices only in training."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmdet_kdrank.errors import DataError, MissingFileError

_LISTS = ('images', 'annotations', 'categories')


def check_coco(
    ann_file: str | Path, classes: Sequence[str], images: str | Path | None, training: bool
) -> None:
    """Refuse an annotation file on which a training would fail or learn wrong labels.

    Gaps in the ids, classes without objects, images without objects and boxes that extend beyond
    the image are legal and pass.

    Args:
        ann_file: The file, such as COCO's ``instances_*.json``.
        classes: Class names of the data set, in the order of the labels.
        images: Folder that ``file_name`` is relative to; None skips the check of the image files.
        training: Whether objects are required.

    Raises:
        FileNotFoundError: If the file or an image does not exist.
        ValueError: Names the file, the faulty entry and the fix.
    """
    content = _read(Path(ann_file))
    try:
        images_by_id = _check_images(content['images'])
        categories = _check_categories(content['categories'], classes)
        _check_annotations(content['annotations'], images_by_id, categories, training)
    except DataError as error:
        raise DataError(f'Annotation file {ann_file}: {error}') from None
    if images is not None:
        _check_files(Path(ann_file), Path(images), images_by_id.values())


def _read(file: Path) -> dict[str, list]:
    if not file.is_file():
        raise MissingFileError(
            f'Annotation file {file} does not exist. Correct ann_file or data_root of the data '
            'set; a relative path starts at the folder in which the command runs.'
        )
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise DataError(
            f'Annotation file {file} is no JSON ({error}): it is empty, truncated or the wrong '
            'file. Write or fetch it again.'
        ) from error
    for name in _LISTS:
        entries = content.get(name) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DataError(
                f'Annotation file {file} has no list of objects under {name!r}. Write it in the '
                f'format of COCO, with the lists {", ".join(_LISTS)}.'
            )
    return content


def _check_images(images: list[dict]) -> dict[Any, dict]:
    if not images:
        raise DataError('it lists no image. Set ann_file to the right file.')
    for image in images:
        size = image.get('width'), image.get('height')
        if 'id' not in image or not all(isinstance(n, int) and n > 0 for n in size):
            raise DataError(
                f'image {image.get("file_name", image)!r} needs an id, and width and height in '
                f'pixels; its size is {size[0]!r} × {size[1]!r}. Complete the entry.'
            )
    _check_unique('image id', (image['id'] for image in images))
    return {image['id']: image for image in images}


def _check_categories(categories: list[dict], classes: Sequence[str]) -> set:
    for category in categories:
        if 'id' not in category or not isinstance(category.get('name'), str):
            raise DataError(f'category {category!r} needs an id and a name. Complete the entry.')
    _check_unique('category id', (category['id'] for category in categories))
    names = [category['name'] for category in categories]
    _check_unique('category name', names)
    common = [name for name in names if name in set(classes)]
    if not common:
        raise DataError(
            f'none of the classes ({_listed(classes)}) is among its categories '
            f'({_listed(names)}). Set metainfo=dict(classes=…) of the data set to names in the '
            'file.'
        )
    # MMDetection numbers the labels in the order of the file, without a look at the names.
    if common != list(classes[: len(common)]):
        raise DataError(
            f'it lists the classes as {_listed(common)}, but the data set lists them as '
            f'{_listed(classes)}. MMDetection uses the order of the file, so labels would have '
            'wrong names. Set metainfo=dict(classes=…) to the order of the file, without classes '
            'that the file lacks.'
        )
    return {category['id'] for category in categories}


def _check_annotations(
    annotations: list[dict], images: dict[Any, dict], categories: set, training: bool
) -> None:
    if training and not annotations:
        raise DataError(
            'it lists no annotation, so there is nothing to train on. Set ann_file to another file.'
        )
    for annotation in annotations:
        name = f'annotation {annotation.get("id")!r}'
        image = images.get(annotation.get('image_id'))
        if image is None:
            raise DataError(
                f'{name} belongs to image {annotation.get("image_id")!r}, which the file does not '
                'list. Remove the annotation, or add the image.'
            )
        name += f' (image {image.get("file_name", image["id"])})'
        if annotation.get('category_id') not in categories:
            raise DataError(
                f'{name} has the category {annotation.get("category_id")!r}, which the file does '
                'not list. Correct category_id, or add the category.'
            )
        box = annotation.get('bbox')
        are_numbers = isinstance(box, list) and all(isinstance(n, (int, float)) for n in box)
        if not (are_numbers and len(box) == 4 and all(map(math.isfinite, box))):
            raise DataError(
                f'{name} has the box {box!r}, not four finite numbers x, y, width, height. '
                'Correct or remove it.'
            )
        if not isinstance(annotation.get('area'), (int, float)):
            raise DataError(
                f'{name} has the area {annotation.get("area")!r}; MMDetection needs a number. '
                'Without a mask, set it to width × height of the box.'
            )
    _check_unique('annotation id', (annotation.get('id') for annotation in annotations))


def _check_files(ann_file: Path, folder: Path, images: Iterable[dict]) -> None:
    # One listing per folder: on a network file system, 100,000 single look-ups take minutes.
    listed: dict[Path, set[str]] = {}
    for image in images:
        if not isinstance(image.get('file_name'), str):
            continue
        path = folder / image['file_name']
        if path.parent not in listed:
            listed[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
        if path.name not in listed[path.parent]:
            raise MissingFileError(
                f'Image {path}, which {ann_file} lists, does not exist. Add the image, correct '
                'data_root or data_prefix of the data set, or remove it from the file.'
            )


def _check_unique(kind: str, values: Iterable) -> None:
    value, count = next(iter(Counter(values).most_common(1)), (None, 0))
    if count > 1:
        raise DataError(f'the {kind} {value!r} occurs {count} times. Make each unique.')


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ', '.join(names[:most]) + (', …' if len(names) > most else '')
