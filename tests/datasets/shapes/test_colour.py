import colorsys

import pytest

from mmdet_kdrank.datasets.shapes.colour import hsv_to_rgb


@pytest.mark.parametrize('hue', [-15.0, 0.0, 52.0, 120.0, 215.0, 359.0])
@pytest.mark.parametrize('saturation, value', [(0.0, 0.5), (0.6, 0.9), (1.0, 1.0)])
def test_equals_the_standard_library(hue, saturation, value):
    expected = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    assert hsv_to_rgb(hue, saturation, value) == pytest.approx(expected)
