from mmdet.registry import DATASETS

from mmdet_kdrank.datasets import ShapesDataset
from mmdet_kdrank.datasets.shapes import CLASSES, ShapesSpec, write_shapes
from mmdet_kdrank.datasets.shapes.scene import draw_scene


def test_reads_what_was_written(tmp_path):
    write_shapes(tmp_path / 'shapes', ShapesSpec(seed=2, num_train=2, num_val=1, size=64))
    dataset = DATASETS.build(
        dict(
            type='ShapesDataset',
            data_root=str(tmp_path / 'shapes'),
            ann_file='annotations/instances_train.json',
            data_prefix=dict(img='train/'),
            pipeline=[],
        )
    )
    assert isinstance(dataset, ShapesDataset)
    assert dataset.metainfo['classes'] == CLASSES
    assert len(dataset) == 2
    objects = draw_scene(2, 'train', 0, 64)[1]
    found = dataset.get_data_info(0)['instances']
    assert [item['bbox_label'] for item in found] == [item.label for item in objects]
    x, y, width, height = objects[0].box
    assert found[0]['bbox'] == [x, y, x + width, y + height]
