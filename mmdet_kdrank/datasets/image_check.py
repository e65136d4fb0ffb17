"""Loads images as the run will; names those that fail, or whose size the file states wrongly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mmcv
from mmcv.transforms import LoadImageFromFile

from mmdet_kdrank.errors import DataError, KDRankError

SAMPLE = 100
_UNROTATED = 'color_ignore_orientation'


def check_images(ann_file: str, infos: Sequence[dict], loader: Mapping[str, Any]) -> None:
    """Load images, and compare their sizes with the annotation file.

    Args:
        ann_file: For errors.
        infos: ``img_path``, ``width`` and ``height`` of each image to load.
        loader: Options of the pipeline's ``LoadImageFromFile``.

    Raises:
        ValueError: If an image cannot be loaded, or is of another size.
    """
    load = LoadImageFromFile(**loader)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        shapes = pool.map(lambda info: _shape(load, info['img_path']), infos)
        for info, shape in zip(infos, shapes, strict=True):
            stated = info['height'], info['width']
            if shape is None:  # ignore_empty=True
                continue
            # A rounded size is off by one.
            if any(abs(a - b) > 1 for a, b in zip(stated, shape, strict=True)):
                raise DataError(
                    f'Annotation file {ann_file}: image {info["img_path"]} is stated as '
                    f'{info["width"]} × {info["height"]} (width × height), but it is loaded as '
                    f'{shape[1]} × {shape[0]}. {_fix(info["img_path"], stated)}'
                )


def evenly(number: int, most: int | None) -> Iterable[int]:
    """Return up to ``most`` of the indices below ``number``, evenly spread; None: all."""
    if most is None or number <= most:
        return range(number)
    return (index * number // most for index in range(most))


def _shape(load: LoadImageFromFile, path: str) -> tuple[int, int] | None:
    with image_errors_named(path):
        loaded = load.transform({'img_path': path})
    return loaded and loaded['ori_shape']


def _fix(path: str, stated: tuple[float, float]) -> str:
    unrotated = mmcv.imread(path, flag=_UNROTATED).shape[:2]
    if all(abs(a - b) <= 1 for a, b in zip(stated, unrotated, strict=True)):
        return (
            'Its EXIF data turn it. If the boxes were drawn on the image without the turn, load it '
            f"so in all pipelines: dict(type='LoadImageFromFile', color_type='{_UNROTATED}'). "
            'Otherwise exchange width and height in the file.'
        )
    return (
        'If the image was resized after it was annotated, restore it, or scale the boxes; then '
        'set width and height in the file to the size of the image.'
    )


@contextmanager
def image_errors_named(path: str) -> Iterator[None]:
    """Context in which an error of the image decoder names the image.

    Args:
        path: Of the image that is loaded.

    Raises:
        ValueError: In place of the decoder's error.
    """
    try:
        yield
    except (KDRankError, FileNotFoundError):
        raise
    except Exception as error:
        raise DataError(f'Image {path} {_fault(path, error)}') from error


def _fault(path: str, error: Exception) -> str:
    if Path(path).is_dir():
        return 'is a folder. Correct its file_name in the annotation file.'
    if os.path.exists(path) and not os.path.getsize(path):
        return 'has zero bytes. Copy it again, or remove it from the annotation file.'
    if 'CV_IO_MAX_IMAGE' in str(error):
        return (
            "has more pixels than OpenCV's limit. Scale it down with its boxes, or set the "
            'environment variable OPENCV_IO_MAX_IMAGE_PIXELS to a higher number.'
        )
    reason = ' '.join(str(error).split())[:200]
    return (
        f'cannot be decoded ({reason}). Copy it again, convert it to JPEG or PNG, or remove it '
        'from the annotation file.'
    )


def name_image_errors() -> None:
    """Let ``LoadImageFromFile`` name the image on which the decoder fails, also in a worker.

    Workers inherit it where they are forked, which is MMDetection's default.
    """
    transform: Callable = LoadImageFromFile.transform
    if getattr(transform, 'names_image', False):
        return

    def named(self: LoadImageFromFile, results: dict) -> dict | None:
        with image_errors_named(results['img_path']):
            return transform(self, results)

    named.names_image = True
    LoadImageFromFile.transform = named
