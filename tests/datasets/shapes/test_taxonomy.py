import colorsys

import pytest

from mmdet_kdrank.datasets.shapes.taxonomy import (
    CLASSES,
    FILLS,
    HUES,
    OUTLINES,
    PALETTE,
    class_parts,
    hsv_to_rgb,
)


def test_every_combination_is_one_class():
    assert len(CLASSES) == len(set(CLASSES)) == len(OUTLINES) * len(FILLS) * len(HUES) >= 24


def test_parts_name_the_class():
    for label, name in enumerate(CLASSES):
        outline, fill, hue = class_parts(label)
        assert outline in OUTLINES and fill in FILLS and hue in HUES
        assert f'{outline}-{fill}-{hue}' == name


def test_palette_has_one_distinct_colour_a_class_of_its_hue():
    assert len(PALETTE) == len(set(PALETTE)) == len(CLASSES)
    for label, (red, green, blue) in enumerate(PALETTE):
        assert all(0 <= channel <= 255 for channel in (red, green, blue))
        assert (class_parts(label)[2] == 'blue') == (blue > red)
        assert (class_parts(label)[2] == 'red') == (red > green and green == blue)


@pytest.mark.parametrize('hue', [-15.0, 0.0, 52.0, 120.0, 215.0, 359.0])
@pytest.mark.parametrize('saturation, value', [(0.0, 0.5), (0.6, 0.9), (1.0, 1.0)])
def test_hsv_to_rgb_equals_the_standard_library(hue, saturation, value):
    expected = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    assert hsv_to_rgb(hue, saturation, value) == pytest.approx(expected)
