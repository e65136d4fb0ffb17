"""A config whose data are two images of one class each, to be broken."""

from __future__ import annotations

import copy
import json

import numpy as np
from mmengine.config import Config
from PIL import Image

from tests.faults.coco import CLASSES, CONTENT

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]


def dataset(**options):
    entry = dict(
        type='CocoDataset',
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=CLASSES),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=copy.deepcopy(PIPELINE),
    )
    return {**entry, **options}


def evaluated(split):
    return dataset(ann_file=f'{split}.json', test_mode=True)


class Data:
    """A folder with ``train.json``, ``val.json`` and ``test.json`` of the same two images.

    Args:
        folder: Where they are written.
    """

    def __init__(self, folder):
        self.folder = folder
        for image in CONTENT['images']:
            self.image(image['file_name'], image['width'], image['height'])
        self.config = {}
        for split in ('train', 'val', 'test'):
            self.write(split, CONTENT)
            entry = dataset() if split == 'train' else evaluated(split)
            self.config[f'{split}_dataloader'] = dict(dataset=entry)
            if split != 'train':
                self.config[f'{split}_evaluator'] = dict(
                    type='CocoMetric', ann_file=str(folder / f'{split}.json')
                )

    def image(self, name, width, height, **options):
        file = self.folder / 'images' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, **options)
        return file

    def write(self, split, content):
        (self.folder / f'{split}.json').write_text(json.dumps(content))

    def change(self, split, change):
        content = json.loads((self.folder / f'{split}.json').read_text())
        change(content)
        self.write(split, content)

    def each(self, split, **values):
        """Set values in all annotations; None takes the key away."""

        def change(content):
            for annotation in content['annotations']:
                annotation.update(values)
                for key in [key for key, value in values.items() if value is None]:
                    del annotation[key]

        self.change(split, change)

    def set(self, split, **options):
        self.config[f'{split}_dataloader']['dataset'].update(options)

    def read(self):
        config = copy.deepcopy(self.config)
        for loader in config.values():
            for entry in _leaves(loader.get('dataset')):
                entry.setdefault('data_root', str(self.folder))
        return Config(config)


def _leaves(entry):
    if entry is None:
        return
    inner = [entry.get('dataset'), *entry.get('datasets', [])]
    for one in filter(None, inner):
        yield from _leaves(one)
    if 'ann_file' in entry:
        yield entry
