"""Checks the data sets and evaluators that a config names, before a run begins."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config

from mmdet_kdrank.datasets.annotation_file import read_annotations
from mmdet_kdrank.datasets.class_check import (
    check_class_list,
    check_same_classes,
    lacking_classes,
)
from mmdet_kdrank.datasets.coco_check import check_coco
from mmdet_kdrank.datasets.evaluation_check import check_evaluated
from mmdet_kdrank.datasets.image_check import SAMPLE, check_images, evenly
from mmdet_kdrank.datasets.object_check import check_objects, load_as_mmdetection
from mmdet_kdrank.errors import DataError, KDRankError, MissingFileError
from mmdet_kdrank.scopes import find


def check_data(
    config: Config,
    all_images: bool = False,
    test_needed: bool = False,
    splits: Sequence[str] = ('train', 'val', 'test'),
) -> None:
    """Check the data sets of training, validation and test as MMDetection will build them.

    Only data sets that :class:`mmdet.datasets.CocoDataset` reads from a local disk are checked,
    also inside wrappers.

    Args:
        config: A training config.
        all_images: Whether all images are loaded, not a sample.
        test_needed: Whether a missing test set is refused; a training warns of it.
        splits: Those to check.

    Raises:
        FileNotFoundError: If an annotation file or an image does not exist.
        ValueError: If a file cannot be trained on, or evaluated.
    """
    first: tuple[str, list[str]] | None = None
    # Mostly the test set is the validation set.
    validated = None
    # Of millions of small objects none is garbage: collections took a quarter of the time.
    gc.disable()
    try:
        for name in splits:
            loader = config.get(f'{name}_dataloader')
            evaluator = config.get(f'{name}_evaluator')
            if (loader, evaluator) == validated:
                continue
            validated = loader, evaluator
            try:
                with _option_errors(f'{name}_dataloader'):
                    sets = _check_loader(loader, all_images)
                for file, classes in sets:
                    place = f'{name}_dataloader ({file})'
                    first = first or (place, classes)
                    check_same_classes(place, classes, *first)
                with _option_errors(f'{name}_evaluator'):
                    _check_evaluators(evaluator, sets)
            except MissingFileError as error:
                if name != 'test' or test_needed:
                    raise
                warnings.warn(f'The test set cannot be evaluated: {error}', stacklevel=2)
    finally:
        gc.enable()
        # It would stay in memory during the training.
        read_annotations.cache_clear()


@contextmanager
def _option_errors(place: str) -> Iterator[None]:
    """Context in which an error of MMDetection's own names the place in the config."""
    try:
        yield
    except KDRankError:
        raise
    except Exception as error:
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:300]
        raise DataError(
            f'{place} of the config has an option that MMDetection cannot use ({reason}). Correct '
            'it: of a data set type, data_root, data_prefix, metainfo, filter_cfg, indices or '
            'pipeline; of an evaluator type, ann_file or metric.'
        ) from error


def _check_loader(loader: dict | None, all_images: bool) -> list[tuple[str, list[str]]]:
    """Check each data set, and return its file with its classes."""
    entries = list(_coco_entries((loader or {}).get('dataset')))
    lacking, sets = None, []
    for entry in entries:
        dataset = _build(entry)
        if dataset is None:
            continue
        lacked = _check_dataset(dataset, entry, joined=len(entries) > 1, all_images=all_images)
        lacking = lacked if lacking is None else [one for one in lacking if one in lacked]
        # Joined sets of an open vocabulary each have classes of their own.
        if not (dataset.return_classes and len(entries) > 1):
            sets.append((dataset.ann_file, list(dataset.metainfo['classes'])))
    if lacking:
        content = read_annotations(Path(dataset.ann_file))
        names = [category['name'] for category in content['categories']]
        raise DataError(
            f'Annotation file {dataset.ann_file}, as the others of the training set: '
            f'{lacking_classes(lacking, names)}'
        )
    return sets


def _check_dataset(dataset: CocoDataset, entry: dict, joined: bool, all_images: bool) -> list[str]:
    training = not dataset.test_mode
    classes = dataset.metainfo['classes']
    file = dataset.ann_file
    folder = dataset.data_prefix.get('img', dataset.data_prefix.get('img_path'))
    lacking = check_coco(file, classes, folder, training, joined and training)
    content = read_annotations(Path(file), training)
    load_as_mmdetection(dataset, content)
    transforms = [t for t in entry.get('pipeline') or () if isinstance(t, dict)]
    masks = any(transform.get('with_mask') for transform in transforms)
    try:
        check_objects(dataset, content, masks, joined)
    except DataError as error:
        raise DataError(f'Annotation file {file}: {error}') from None
    first = dict(transforms[0]) if transforms else {}
    kind = first.pop('type', '')
    first.pop('_scope_', None)
    if getattr(kind, '__name__', str(kind).rpartition('.')[2]) == 'LoadImageFromFile':
        indices = evenly(len(dataset), None if all_images else SAMPLE)
        check_images(file, [dataset.data_list[index] for index in indices], first)
    return lacking


def _check_evaluators(evaluators: dict | list | None, sets: list[tuple[str, list[str]]]) -> None:
    evaluators = [evaluators] if isinstance(evaluators, dict) else evaluators or []
    for evaluator in evaluators:
        kind = find(METRICS, evaluator.get('type'))
        # Without a file, it takes the objects from the data set and numbers them anew.
        local = evaluator.get('ann_file') and not evaluator.get('backend_args')
        if kind is CocoMetric and local and sets:
            metrics = evaluator.get('metric', 'bbox')
            masks = 'segm' in ([metrics] if isinstance(metrics, str) else metrics)
            file = evaluator['ann_file']
            check_evaluated(file, sets[0][1], masks, known=file in dict(sets))


def _coco_entries(config: dict | None) -> Iterator[dict]:
    if not isinstance(config, dict):
        return
    for inner in [config.get('dataset'), *config.get('datasets', [])]:
        yield from _coco_entries(inner)
    kind = find(DATASETS, config.get('type'))
    # Classes with another reading of the file (LVIS, Objects365, panoptic) have their own rules.
    readers = (getattr(kind, name, None) for name in ('load_data_list', 'parse_data_info'))
    if tuple(readers) == (CocoDataset.load_data_list, CocoDataset.parse_data_info):
        yield config


def _build(entry: dict) -> CocoDataset | None:
    """Build a data set, which joins the paths as MMDetection does, and reads no file."""
    for key in ('ann_file', 'data_root'):
        if not isinstance(entry.get(key, ''), (str, type(None))):
            raise DataError(
                f'{key}={entry[key]!r} of the data set must be one path. Join data sets with '
                "dict(type='ConcatDataset', datasets=[…])."
            )
    if not entry.get('ann_file'):
        raise DataError(
            f'ann_file={entry.get("ann_file")!r} of the data set must be the path of its '
            'annotation file. Set it; a relative path starts at data_root.'
        )
    dataset = DATASETS.build(dict(entry, lazy_init=True, pipeline=[]))
    check_class_list(dataset.metainfo.get('classes'))
    return None if dataset.backend_args else dataset
