import numpy as np
import pytest
from mmdet.registry import DATASETS

from mmdet_kdrank.datasets import ShapesDataset
from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes
from mmdet_kdrank.datasets.shapes.scene import draw_scene
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'shapes'
    write_shapes(folder, ShapesSpec(seed=2, num_train=2, num_val=1, size=64))
    return folder


def dataset(folder, *pipeline):
    return DATASETS.build(
        dict(
            type='ShapesDataset',
            data_root=str(folder),
            ann_file='annotations/instances_train.json',
            data_prefix=dict(img='train/'),
            pipeline=list(pipeline),
        )
    )


def test_reads_what_was_written(folder):
    shapes = dataset(folder)
    assert isinstance(shapes, ShapesDataset)
    assert shapes.metainfo['classes'] == CLASSES
    assert len(shapes) == 2
    objects = draw_scene(2, 'train', 0, 64)[1]
    labelled = shapes.get_data_info(0)['instances']
    assert [item['bbox_label'] for item in labelled] == [item.label for item in objects]
    x, y, width, height = objects[0].box
    assert labelled[0]['bbox'] == [x, y, x + width, y + height]


def test_mmdetection_loads_and_flips_the_masks(folder):
    shapes = dataset(
        folder,
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='RandomFlip', prob=1.0, direction='horizontal'),
        dict(type='PackDetInputs'),
    )
    for index in range(2):
        instances = shapes[index]['data_samples'].gt_instances
        expected = [item.mask[:, ::-1] for item in draw_scene(2, 'train', index, 64)[1]]
        assert np.array_equal(instances.masks.masks, expected)
        boxes = instances.masks.get_bboxes('hbox').tensor
        assert (boxes == instances.bboxes.tensor).all()
