import numpy as np
import pytest

from mmdet_kdrank.datasets.shapes.outlines import inside, paint
from mmdet_kdrank.datasets.shapes.taxonomy import FILLS
from mmdet_kdrank.datasets.shapes.taxonomy import OUTLINES as CLASS_OUTLINES

OUTLINES = (*CLASS_OUTLINES, 'square')

V, U = np.mgrid[-1.6:1.6:321j, -1.6:1.6:321j]


@pytest.mark.parametrize('outline', OUTLINES)
def test_outline_surrounds_its_centre_within_the_reach_of_a_brush(outline):
    covered = inside(outline, U, V)
    assert covered[160, 160]
    assert not covered[np.hypot(U, V) > 1.5].any()
    assert 1.4 < covered.mean() * 3.2**2 < 3.3


def test_outlines_differ():
    areas = [inside(outline, U, V) for outline in OUTLINES]
    for i, one in enumerate(areas):
        for other in areas[i + 1 :]:
            assert (one ^ other).mean() > 0.02


@pytest.mark.parametrize('outline', OUTLINES)
@pytest.mark.parametrize('fill', FILLS)
def test_second_colour_lies_on_paint_within_the_outline(outline, fill):
    opaque, second = paint(outline, fill, U, V)
    assert not (second & ~opaque).any()
    assert not (opaque & ~inside(outline, U, V)).any()
    assert opaque[160, 160] == (fill != 'hollow')
    assert second.any() == (fill == 'striped')


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown outline 'blob'"):
        inside('blob', U, V)
    with pytest.raises(ValueError, match="unknown fill 'fur'"):
        paint('circle', 'fur', U, V)
