import zlib

import numpy as np
import pytest

from mmdet_kdrank.datasets.shapes import scene
from mmdet_kdrank.datasets.shapes.scene import MIN_VISIBLE_SHARE, draw_scene
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES, class_parts
from tests.datasets.shapes.rasteriser import painted


def test_seed_draws_the_same_bits_everywhere():
    picture, objects = draw_scene(0, 'train', 0)
    assert (zlib.crc32(picture.tobytes()), len(objects)) == (1372954273, 7)
    annotations = repr([(item.label, item.box, item.area, item.visible) for item in objects])
    assert zlib.crc32(annotations.encode()) == 1402426220


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
            assert item.mask.shape == (96, 96) and item.mask.dtype == bool
            assert item.mask[y : y + height, x : x + width].sum() == item.mask.sum() == item.area
            assert item.mask[y].any() and item.mask[y + height - 1].any()
            assert item.mask[:, x].any() and item.mask[:, x + width - 1].any()
            assert MIN_VISIBLE_SHARE <= item.visible <= 1
            assert 0 <= item.label < len(CLASSES)


def test_some_objects_are_partly_hidden_and_mostly_hidden_ones_dropped(monkeypatch):
    scenes = [draw_scene(0, 'train', index, 64)[1] for index in range(20)]
    shares = [item.visible for objects in scenes for item in objects]
    assert 0.05 < np.mean([share < 0.95 for share in shares]) < 0.6
    monkeypatch.setattr(scene, 'MIN_VISIBLE_SHARE', 0.0)
    everything = [draw_scene(0, 'train', index, 64)[1] for index in range(20)]
    assert len(shares) < sum(len(objects) for objects in everything) < 1.2 * len(shares)


def test_no_pixel_is_in_two_masks():
    for index in range(20):
        masks = [item.mask for item in draw_scene(0, 'train', index, 64)[1]]
        assert not masks or np.sum(masks, axis=0).max() == 1


def test_masks_are_what_a_painter_leaves_to_see(monkeypatch):
    """Against polygons of OpenCV, drawn one over the other: other arithmetic, other order."""
    brushes = []

    def remember(picture, brush, stroke=scene.stroke):
        brushes.append(brush)
        return stroke(picture, brush)

    monkeypatch.setattr(scene, 'stroke', remember)
    fills, hidden, overlaps = set(), 0, []
    for index in range(12):
        brushes.clear()
        objects = draw_scene(4, 'train', index, 128)[1]
        seen = painted(brushes, 128)
        for item in objects:
            number = np.bincount(seen[item.mask] + 1).argmax() - 1
            outline, fill, _ = class_parts(item.label)
            assert (brushes[number].outline, brushes[number].fill) == (outline, fill)
            expected = seen == number
            # They may differ in pixels on an edge, of which small hollow objects have many.
            overlaps.append((item.mask & expected).sum() / (item.mask | expected).sum())
            fills.add(fill)
            hidden += item.visible < 0.9
    assert min(overlaps) > 0.9 and np.mean(overlaps) > 0.97
    assert len(fills) == 3 and hidden >= 5
