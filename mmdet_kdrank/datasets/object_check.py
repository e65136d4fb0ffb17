"""Looks at what MMDetection's data set makes of an annotation file: which objects are left."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from contextlib import redirect_stdout

from mmdet.datasets import CocoDataset

from mmdet_kdrank.datasets.annotation_file import listed
from mmdet_kdrank.errors import DataError

_MANY = 0.2
_OUTSIDE, _AREA, _SIZE, _CROWD = (
    'lie outside the image or have a side of 0',
    'have an area of 0 or less',
    'are less than 1 pixel wide or high',
    'are crowds (iscrowd)',
)


def load_as_mmdetection(dataset: CocoDataset, content: dict[str, list]) -> None:
    """Let a data set read its file by its own rules, without a second reading from the disk.

    Args:
        dataset: Not initialised yet.
        content: Of its annotation file.
    """
    index = dataset.COCOAPI()
    index.dataset = content
    with redirect_stdout(io.StringIO()):
        index.createIndex()
    index.img_ann_map, index.cat_img_map = index.imgToAnns, index.catToImgs
    dataset.COCOAPI = lambda _: index
    dataset.serialize_data = False
    dataset.full_init()


def check_objects(
    dataset: CocoDataset, content: dict[str, list], with_masks: bool, joined: bool = False
) -> None:
    """Refuse a data set of which MMDetection's rules leave nothing to train on; warn of losses.

    Args:
        dataset: Initialised.
        content: Of its annotation file.
        with_masks: Whether its pipeline loads masks.
        joined: Whether other files belong to the same set, and may have the objects of a class.

    Raises:
        ValueError: If no image or no object is left, a class loses all its objects, or a mask is
            missing.
    """
    chosen = set(dataset.cat_ids)
    sizes = {image['id']: (image['width'], image['height']) for image in content['images']}
    counted = [
        annotation
        for annotation in content['annotations']
        if annotation['category_id'] in chosen and not annotation.get('ignore')
    ]
    reasons = [_reason(annotation, *sizes[annotation['image_id']]) for annotation in counted]
    dropped = Counter(filter(None, reasons))
    usable = Counter(
        annotation['category_id']
        for annotation, reason in zip(counted, reasons, strict=True)
        if not reason
    )
    counts = ', '.join(f'{count} {reason}' for reason, count in dropped.most_common())
    advice = _advice(counted, dropped)
    if dataset.test_mode:
        # The evaluator counts boxes of any size, by rules of its own.
        if all(annotation.get('iscrowd') for annotation in counted):
            _warn(dataset, 'no object of the classes but crowds, so every AP will be -1.')
    else:
        _refuse_nothing(dataset, content, counted, usable, counts, advice)
        _expect_all_classes(dataset, counted, usable, joined)
    if not dataset.test_mode and dropped.total() > _MANY * len(counted):
        _warn(
            dataset,
            f'of {len(counted)} objects, {counts}. MMDetection does not train on these.{advice}',
        )
    _warn_of_corners(dataset, counted, sizes)
    if with_masks:
        _check_masks(counted, reasons)


def _refuse_nothing(
    dataset: CocoDataset,
    content: dict[str, list],
    counted: list[dict],
    usable: Counter,
    counts: str,
    advice: str,
) -> None:
    if not usable:
        reason = counts or 'it has no annotation of the classes'
        raise DataError(
            f'no object is left to train on: of {len(counted)} objects, {reason}.{advice} Correct '
            'these entries.'
        )
    names = dict(zip(dataset.cat_ids, dataset.metainfo['classes'], strict=False))
    annotated = {annotation['category_id'] for annotation in counted}
    lost = [name for category, name in names.items() if category in annotated - set(usable)]
    if lost:
        raise DataError(
            f'the classes {listed(lost)} have objects, but none is left: of all objects, '
            f'{counts}.{advice} Correct these entries, or remove the classes from the classes of '
            'all data sets.'
        )
    if not len(dataset):
        raise DataError(
            f'no image is left by filter_cfg={dict(dataset.filter_cfg or {})} of the data set: its '
            'images are smaller than min_size, or have no object. Lower min_size, or set '
            'filter_cfg=None.'
        )
    total = len(content['images'])
    if dataset._indices is None and len(dataset) < (1 - _MANY) * total:
        _warn(
            dataset,
            f'of {total} images, filter_cfg leaves out {total - len(dataset)}: they are smaller '
            'than min_size, or have no object.',
        )


def _expect_all_classes(
    dataset: CocoDataset, counted: list[dict], usable: Counter, joined: bool
) -> None:
    names = dict(zip(dataset.cat_ids, dataset.metainfo['classes'], strict=False))
    annotated = {annotation['category_id'] for annotation in counted}
    empty = [name for category, name in names.items() if category not in annotated]
    if not empty:
        return
    text = f'no object has the classes {listed(empty)}, so they cannot be learned.'
    # Where a class has a single object, others may well have none: a sample of a larger set.
    if joined or 1 in usable.values():
        _warn(dataset, text)
        return
    raise DataError(
        f'{text} Correct category_id of their annotations, or remove the classes from '
        "metainfo=dict(classes=…) of all data sets and from num_classes of the model's heads."
    )


def _reason(annotation: dict, width: float, height: float) -> str:
    """Say why the data set leaves an object out, in the order of its own rules."""
    x, y, w, h = annotation['bbox']
    inside = max(0, min(x + w, width) - max(x, 0)) * max(0, min(y + h, height) - max(y, 0))
    if inside == 0:
        return _OUTSIDE
    if annotation['area'] <= 0:
        return _AREA
    if w < 1 or h < 1:
        return _SIZE
    return _CROWD if annotation.get('iscrowd') else ''


def _advice(counted: list[dict], dropped: Counter) -> str:
    if not dropped:
        return ''
    if all(0 <= number <= 1 for annotation in counted for number in annotation['bbox']):
        return (
            ' The boxes look relative to the image: multiply x and width by its width, y and '
            'height by its height, and area by both.'
        )
    advice = {
        _OUTSIDE: ' Boxes are x, y, width, height in pixels of the image.',
        _AREA: ' Without masks, set area to width × height of the box.',
        _CROWD: ' Set iscrowd to 0 for single objects.',
    }
    return advice.get(dropped.most_common(1)[0][0], '')


def _warn_of_corners(dataset: CocoDataset, counted: list[dict], sizes: dict) -> None:
    leaving = 0
    for annotation in counted:
        (x, y, w, h), (width, height) = annotation['bbox'], sizes[annotation['image_id']]
        leaving += x + w > width + 1 or y + h > height + 1
    if leaving > _MANY * len(counted):
        _warn(
            dataset,
            f'{leaving} of {len(counted)} boxes leave their image. COCO writes x, y, width, '
            'height; if the file has two corners, subtract the first from the second.',
        )


def _check_masks(counted: list[dict], reasons: list[str]) -> None:
    # A crowd is loaded too, as an object to ignore.
    lacking = [
        annotation['id']
        for annotation, reason in zip(counted, reasons, strict=True)
        if reason in ('', _CROWD) and not annotation.get('segmentation')
    ]
    if lacking:
        raise DataError(
            f'{len(lacking)} of {len(counted)} annotations have no segmentation '
            f'({listed(lacking)}), and LoadAnnotations(with_mask=True) needs it. Add it, remove '
            'these annotations, or set with_mask=False and take a detector without masks.'
        )


def _warn(dataset: CocoDataset, text: str) -> None:
    warnings.warn(f'Annotation file {dataset.ann_file}: {text.rstrip()}', stacklevel=2)
