"""Reading the configs of a comparison, and what its runs must share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.config import Config
from mmengine.hub import get_config

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops.checks import blamed_on
from mmdet_kdrank.scopes import find


def read_config(path: str, where: str) -> Config:
    """Read a config.

    Args:
        path: Of a file, or an ``mmdet::`` name.
        where: Its name in an error.

    Returns:
        A copy that may be changed.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it cannot be read.
    """
    with blamed_on(f'{where}: config={path!r}', 'Correct the path or the name.'):
        if '::' in path:
            config = get_config(path)
            return Config(config.to_dict(), filename=config.filename)
        return Config.fromfile(path)


def coco_metric(config: Config, name: str) -> dict:
    """Return the CocoMetric of a config's ``test_evaluator``.

    Raises:
        ValueError: If there is none, or one without an annotation file.
    """
    evaluators = config.get('test_evaluator') or []
    evaluators = [evaluators] if isinstance(evaluators, dict) else evaluators
    for evaluator in evaluators:
        if find(METRICS, evaluator.get('type')) is CocoMetric and evaluator.get('ann_file'):
            return evaluator
    raise ArgumentError(
        f'{name} has no CocoMetric with an ann_file as its test_evaluator, and the comparison '
        "counts detections by COCO's rules. Give test_evaluator = dict(type='CocoMetric', "
        "ann_file='…', metric='bbox')."
    )


def data_of(config: Config) -> dict[str, Any]:
    """Return what must be the same for the variants of a comparison, by its key."""
    data = {}
    for loader, sources in _sources_by_loader(config).items():
        for number, dataset in enumerate(sources):
            place = f'{loader}.dataset' + (f'.datasets.{number}' if len(sources) > 1 else '')
            for key in ('data_root', 'ann_file', 'data_prefix', 'metainfo', 'indices'):
                data[f'{place}.{key}'] = dataset.get(key)
    data['train_dataloader.batch_size'] = config.get('train_dataloader', {}).get('batch_size')
    data['test_evaluator.ann_file'] = coco_metric(config, 'A config')['ann_file']
    return data


def annotation_files(config: Config) -> list[Path]:
    """Return the annotation files of training and test, as MMDetection joins their paths."""
    datasets = [source for group in _sources_by_loader(config).values() for source in group]
    return [
        Path(coco_metric(config, 'A config')['ann_file']),
        *(
            Path(dataset.get('data_root') or '') / dataset['ann_file']
            for dataset in datasets
            if dataset.get('ann_file')
        ),
    ]


def _sources_by_loader(config: Config) -> dict[str, list[dict]]:
    return {
        loader: list(_sources(config.get(loader, {}).get('dataset') or {}))
        for loader in ('train_dataloader', 'test_dataloader')
    }


def _sources(dataset: dict) -> Iterator[dict]:
    """Return the data sets that read files, inside whatever wraps or joins them."""
    inner = list(filter(None, (dataset.get('dataset'), *dataset.get('datasets', ()))))
    if 'ann_file' in dataset or not inner:
        yield dataset
        return
    for wrapped in inner:
        yield from _sources(wrapped)


def portable_json(content: Any, folder: Path) -> str:
    """Write settings such that they stay the same where their folders are moved.

    Args:
        content: Configs as dicts, and what goes with them.
        folder: Of the comparison.

    Returns:
        JSON with ``.`` for that folder, and for the one that the command runs in.
    """
    text = json.dumps(content, default=str)
    for place in (folder, Path.cwd()):
        text = text.replace(str(place), '.')
    return text
