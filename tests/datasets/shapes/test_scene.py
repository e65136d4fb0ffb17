import zlib

import numpy as np
import pytest

from mmdet_kdrank.datasets.shapes import scene
from mmdet_kdrank.datasets.shapes.scene import MIN_VISIBLE_SHARE, draw_scene
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES


def test_seed_draws_the_same_bits_everywhere():
    picture, objects = draw_scene(0, 'train', 0)
    assert (zlib.crc32(picture.tobytes()), len(objects)) == (1372954273, 7)


@pytest.mark.parametrize('other', [(1, 'train', 0), (0, 'val', 0), (0, 'train', 1)])
def test_every_picture_has_a_stream_of_its_own(other):
    assert not np.array_equal(draw_scene(0, 'train', 0, 64)[0], draw_scene(*other, 64)[0])


def test_annotations_describe_what_is_seen():
    for index in range(12):
        picture, objects = draw_scene(3, 'val', index, 96)
        assert picture.shape == (96, 96, 3) and picture.dtype == np.uint8
        for item in objects:
            x, y, width, height = item.box
            assert 0 <= x < x + width <= 96 and 0 <= y < y + height <= 96
            assert 0 < item.area <= width * height
            assert MIN_VISIBLE_SHARE <= item.visible <= 1
            assert 0 <= item.label < len(CLASSES)


def test_some_objects_are_partly_hidden_and_mostly_hidden_ones_dropped(monkeypatch):
    scenes = [draw_scene(0, 'train', index, 64)[1] for index in range(20)]
    shares = [item.visible for objects in scenes for item in objects]
    assert 0.05 < np.mean([share < 0.95 for share in shares]) < 0.6
    monkeypatch.setattr(scene, 'MIN_VISIBLE_SHARE', 0.0)
    everything = [draw_scene(0, 'train', index, 64)[1] for index in range(20)]
    assert len(shares) < sum(len(objects) for objects in everything) < 1.2 * len(shares)
