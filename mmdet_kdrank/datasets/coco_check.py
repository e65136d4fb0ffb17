"""Finds faults in the entries of a COCO annotation file."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from mmdet_kdrank.datasets.annotation_file import read_annotations
from mmdet_kdrank.datasets.class_check import check_categories, lacking_classes
from mmdet_kdrank.errors import DataError, MissingFileError


def check_coco(
    ann_file: str | Path,
    classes: Sequence[str],
    images: str | Path | None,
    training: bool,
    joined: bool = False,
) -> list[str]:
    """Refuse an annotation file on which a training would fail or learn wrong labels.

    Gaps in the ids, classes without objects, images without objects and boxes that extend beyond
    the image are legal and pass.

    Args:
        ann_file: The file, such as COCO's ``instances_*.json``.
        classes: Class names of the data set, in the order of the labels.
        images: Folder that ``file_name`` is relative to; None skips the check of the image files.
        training: Whether objects are required.
        joined: Whether other files belong to the same set, and may have what this one lacks.

    Raises:
        FileNotFoundError: If the file or an image does not exist.
        ValueError: Names the file, the faulty entry and the fix.

    Returns:
        With ``joined``, classes at the end of the list that the file lacks.
    """
    content = read_annotations(Path(ann_file), training)
    try:
        images_by_id = _check_images(content['images'])
        categories, names = _check_categories(content['categories'])
        lacking = check_categories(names, classes)
        if lacking and not joined:
            raise lacking_classes(lacking, names)
        _check_annotations(content['annotations'], images_by_id, categories, training)
    except DataError as error:
        raise DataError(f'Annotation file {ann_file}: {error}') from None
    if images is not None:
        _check_files(Path(ann_file), Path(images), images_by_id.values())
    return lacking


def _check_images(images: list[dict]) -> dict[Any, dict]:
    if not images:
        raise DataError('it lists no image. Set ann_file to the right file.')
    for image in images:
        size = image.get('width'), image.get('height')
        if not (_is_id(image.get('id')) and all(_is_number(n) and n > 0 for n in size)):
            raise DataError(
                f'image {image.get("file_name", image)!r} needs an id, and width and height in '
                f'pixels; its id is {image.get("id")!r}, and '
                f'its size is {size[0]!r} × {size[1]!r}. Complete the entry.'
            )
        if not isinstance(image.get('file_name'), str):
            raise DataError(
                f'image {image["id"]!r} has the file_name {image.get("file_name")!r}, not a '
                'string. Set it to the path of the image in the folder of the images.'
            )
    _check_unique('image id', (image['id'] for image in images))
    return {image['id']: image for image in images}


def _check_categories(categories: list[dict]) -> tuple[set, list[str]]:
    for category in categories:
        if not (_is_id(category.get('id')) and isinstance(category.get('name'), str)):
            raise DataError(f'category {category!r} needs an id and a name. Complete the entry.')
    _check_unique('category id', (category['id'] for category in categories))
    names = [category['name'] for category in categories]
    _check_unique('category name', names)
    return {category['id'] for category in categories}, names


def _check_annotations(
    annotations: list[dict], images: dict[Any, dict], categories: set, training: bool
) -> None:
    if training and not annotations:
        raise DataError(
            'it lists no annotation, so there is nothing to train on. Set ann_file to another file.'
        )
    for annotation in annotations:
        for key in ('id', 'image_id', 'category_id'):
            value = annotation.get(key)
            if isinstance(value, (list, dict)) or (key == 'id' and value is None):
                raise DataError(
                    f'annotation {annotation.get("id")!r} has the {key} {value!r}; it must be one '
                    'number or one string. Correct it; an object of several classes needs one '
                    'annotation for each.'
                )
        image = images.get(annotation.get('image_id'))
        if image is None:
            raise DataError(
                f'annotation {annotation["id"]!r} belongs to image '
                f'{annotation.get("image_id")!r}, which the file does not list. Remove the '
                'annotation, or add the image.'
            )
        fault = _fault_of(annotation, categories)
        if fault:
            raise DataError(
                f'annotation {annotation["id"]!r} (image {image["file_name"]}) has the {fault}'
            )
    _check_unique('annotation id', (annotation['id'] for annotation in annotations))


def _fault_of(annotation: dict, categories: set) -> str:
    if annotation.get('category_id') not in categories:
        return (
            f'category {annotation.get("category_id")!r}, which the file does not list. Correct '
            'category_id, or add the category.'
        )
    box = annotation.get('bbox')
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
        return (
            f'box {box!r}, not four finite numbers x, y, width, height. Correct or remove it; '
            'numbers have no quotes.'
        )
    if not _is_number(annotation.get('area')):
        return (
            f'area {annotation.get("area")!r}; MMDetection needs a number, without quotes. Without '
            'a mask, set it to width × height of the box.'
        )
    return ''


def _check_files(ann_file: Path, folder: Path, images: Collection[dict]) -> None:
    shared = len(images) - len({image['file_name'] for image in images})
    if shared:
        warnings.warn(
            f'Annotation file {ann_file}: {shared} images have the file_name of another, so one '
            'file is loaded with the objects of several images.',
            stacklevel=2,
        )
    # One listing per folder: on a network file system, 100,000 single look-ups take minutes.
    listing: dict[str, set[str]] = {}
    for image in images:
        parent, name = os.path.split(os.path.join(folder, image['file_name']))
        if parent not in listing:
            listing[parent] = set(os.listdir(parent)) if os.path.isdir(parent) else set()
        if name not in listing[parent]:
            raise MissingFileError(
                f'Image {parent}/{name}, which {ann_file} lists, does not exist. Add the image, '
                'correct data_root or data_prefix of the data set, or remove it from the file.'
            )


def _check_unique(kind: str, values: Iterable) -> None:
    value, count = next(iter(Counter(values).most_common(1)), (None, 0))
    if count > 1:
        raise DataError(f'the {kind} {value!r} occurs {count} times. Make each unique.')


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, float, str))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
