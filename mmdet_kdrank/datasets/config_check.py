"""Checks the data sets that a config names, before a run begins."""

from __future__ import annotations

from collections.abc import Iterator

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict

from mmdet_kdrank.datasets.coco_check import check_coco


def check_data(config: Config) -> None:
    """Check the annotation files of a config's training and validation set.

    Only data sets that :class:`mmdet.datasets.CocoDataset` reads from a local disk are checked,
    also inside wrappers.

    Args:
        config: A training config.

    Raises:
        FileNotFoundError: If an annotation file or an image does not exist.
        ValueError: If an annotation file cannot be trained on.
    """
    for loader in ('train_dataloader', 'val_dataloader'):
        for dataset in _coco_datasets((config.get(loader) or {}).get('dataset')):
            images = dataset.data_prefix.get('img', dataset.data_prefix.get('img_path'))
            check_coco(
                dataset.ann_file,
                dataset.metainfo['classes'],
                images,
                training=not dataset.test_mode,
            )


def _coco_datasets(config: ConfigDict | None) -> Iterator[CocoDataset]:
    if not isinstance(config, dict):
        return
    for inner in [config.get('dataset'), *config.get('datasets', [])]:
        yield from _coco_datasets(inner)
    kind = DATASETS.get(config.get('type', '')) if isinstance(config.get('type'), str) else None
    # Classes with another reading of the file (LVIS, Objects365, panoptic) have their own rules.
    readers = (getattr(kind, name, None) for name in ('load_data_list', 'parse_data_info'))
    if tuple(readers) == (CocoDataset.load_data_list, CocoDataset.parse_data_info):
        # Building it joins the paths as MMDetection does, and reads no file.
        dataset = DATASETS.build(dict(config, lazy_init=True, pipeline=[]))
        if not dataset.backend_args:
            yield dataset
