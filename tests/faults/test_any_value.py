"""Any value anywhere in an annotation file: it is refused in words, or MMDetection works with it.

What passes is loaded and evaluated by MMDetection itself, and perfect detections must be perfect.
"""

from __future__ import annotations

import copy
import itertools
import warnings

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.structures import InstanceData

from mmdet_kdrank.datasets.config_check import check_data
from mmdet_kdrank.errors import KDRankError
from tests.datasets.made import Data
from tests.faults.coco import CONTENT

ABSENT = object()
VALUES = {
    'absent': ABSENT,
    'null': None,
    'true': True,
    'zero': 0,
    'one': 1,
    'negative': -3,
    'fraction': 0.5,
    'large': 2**60 + 1,
    'nan': float('nan'),
    'infinite': float('inf'),
    'empty': '',
    'numeral': '7',
    'word': 'cat',
    'list': [1],
    'nested': [[1, 2]],
    'dict': {'a': 1},
}
KEYS = {
    'images': ('id', 'file_name', 'width', 'height'),
    'categories': ('id', 'name', 'supercategory'),
    'annotations': (
        *('id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd', 'segmentation', 'ignore'),
    ),
    '': ('images', 'categories', 'annotations', 'info', 'licenses'),
}
FEWEST = {('images', 'width'): 9, ('annotations', 'bbox'): 15, ('', 'images'): 16}
PLACES = [(table, key) for table, keys in KEYS.items() for key in keys]
FAULTS = list(itertools.product(PLACES, VALUES))


def spoiled(table, key, value):
    content = copy.deepcopy(CONTENT)
    entry = content[table][0] if table else content
    if value is ABSENT:
        entry.pop(key, None)
    else:
        entry[key] = value
    return content


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    data = Data(tmp_path_factory.mktemp('data'))
    for split in ('train', 'val'):
        # Serialising collects garbage, which takes most of the time.
        data.set(split, serialize_data=False)
    return data


@pytest.mark.parametrize('place', PLACES, ids=lambda place: '.'.join(filter(None, place)))
def test_a_value_is_refused_or_right(data, place):
    refused = 0
    for name, value in VALUES.items():
        content = spoiled(*place, value)
        for split in ('train', 'val'):
            data.write(split, content)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter('always')
            try:
                check_data(data.read(), splits=('train', 'val'))
            except KDRankError as error:
                assert '\n' not in str(error) and len(str(error)) > 60, (name, error)
                refused += 1
                continue
        left_out = any("'ignore'" in str(one.message) for one in told)
        assert evaluated(data.read()) == (0.5 if left_out else 1.0), name
        assert trained(data.read()) == (1 if left_out else 2), name
    assert refused >= FEWEST.get(place, 0)


def trained(config):
    """Objects that MMDetection trains on."""
    dataset = DATASETS.build(config.train_dataloader.dataset)
    return sum(len(dataset[index]['data_samples'].gt_instances) for index in range(len(dataset)))


def evaluated(config):
    """The mAP of detections that are the annotations themselves."""
    dataset = DATASETS.build(config.val_dataloader.dataset)
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        truth = sample.gt_instances
        sample.pred_instances = InstanceData(
            bboxes=truth.bboxes.tensor, labels=truth.labels, scores=torch.ones(len(truth))
        )
        metric.process({}, [sample.to_dict()])
    return metric.evaluate(len(dataset))['coco/bbox_mAP']


def test_how_many_there_are():
    assert len(FAULTS) >= 200 and np.isnan(VALUES['nan'])
