from __future__ import annotations

import pytest
from mmengine.config import Config

from mmdet_kdrank.datasets.config_check import check_data
from tests.faults.coco import CLASSES, CONTENT, write_coco


def dataset(folder, **options):
    return dict(
        type='CocoDataset',
        data_root=str(folder),
        ann_file='instances.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=CLASSES),
        pipeline=[dict(type='NotBuiltHere')],
        **options,
    )


def config(train, val=None):
    loaders = dict(train_dataloader=dict(dataset=train))
    if val is not None:
        loaders['val_dataloader'] = dict(dataset=val)
    return Config(loaders)


@pytest.fixture
def good(tmp_path):
    write_coco(tmp_path, CONTENT)
    return tmp_path


@pytest.fixture
def empty(tmp_path):
    folder = tmp_path / 'empty'
    folder.mkdir()
    write_coco(folder, dict(CONTENT, annotations=[]))
    return folder


def test_paths_are_joined_as_mmdetection_joins_them(good):
    check_data(config(dataset(good), dataset(good, test_mode=True)))
    (good / 'images' / 'a.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='images/a.jpg'):
        check_data(config(dataset(good)))


def test_training_needs_objects_and_validation_does_not(good, empty):
    check_data(config(dataset(good), dataset(empty, test_mode=True)))
    with pytest.raises(ValueError, match='lists no annotation'):
        check_data(config(dataset(empty)))


@pytest.mark.parametrize(
    'wrap',
    [
        lambda inner: dict(type='RepeatDataset', times=2, dataset=inner),
        lambda inner: dict(type='ConcatDataset', datasets=[inner]),
        lambda inner: dict(
            type='MultiImageMixDataset', dataset=dict(type='ConcatDataset', datasets=[inner])
        ),
    ],
)
def test_inside_wrappers(empty, wrap):
    with pytest.raises(ValueError, match='lists no annotation'):
        check_data(config(wrap(dataset(empty))))


def test_other_readers_and_other_storage_are_left_alone(tmp_path):
    for other in (
        dict(dataset(tmp_path), type='LVISV1Dataset'),
        dict(dataset(tmp_path), type='VOCDataset'),
        dict(dataset(tmp_path), type='CocoPanopticDataset'),
        dict(dataset(tmp_path), backend_args=dict(backend='petrel')),
        dict(type='NoSuchDataset'),
    ):
        check_data(config(other))
    check_data(Config())
