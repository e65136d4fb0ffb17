from types import SimpleNamespace

import pytest
from mmdet.models.task_modules.prior_generators import AnchorGenerator, MlvlPointGenerator

from mmdet_kdrank.heads.priors import assert_comparable


def anchors(strides=(8, 16), scales=(4,), name='prior_generator'):
    generator = AnchorGenerator(strides=strides, ratios=[1.0], scales=list(scales))
    return SimpleNamespace(**{name: generator})


def points(strides=(8, 16), offset=0.5):
    return SimpleNamespace(prior_generator=MlvlPointGenerator(strides, offset=offset))


def test_the_same_priors_are_comparable():
    assert_comparable(anchors(), anchors(), 'same')
    assert_comparable(points(), points(), 'same')
    assert_comparable(anchors(name='square_anchor_generator'), anchors(), 'same')


@pytest.mark.parametrize(
    ('student', 'teacher'),
    [
        (anchors(), anchors(scales=(8,))),
        (anchors(), anchors(scales=(4, 8))),
        (points(), points(offset=0)),
        (anchors(), points()),
    ],
)
def test_other_priors_need_the_comparison_by_cells(student, teacher):
    with pytest.raises(ValueError, match="different priors on level 0.*priors='cell'"):
        assert_comparable(student, teacher, 'same')
    assert_comparable(student, teacher, 'cell')


@pytest.mark.parametrize('priors', ['same', 'cell'])
def test_other_levels_are_refused(priors):
    with pytest.raises(ValueError, match="student's head has 2 levels, the teacher's 3"):
        assert_comparable(anchors(), anchors((8, 16, 32)), priors)


def test_other_strides_have_other_cells():
    with pytest.raises(ValueError, match=r'\(8, 8\).*\(16, 16\).*cells do not correspond'):
        assert_comparable(anchors((8, 16)), points((16, 32)), 'cell')


def test_a_head_that_does_not_tell_its_priors_is_refused():
    with pytest.raises(TypeError, match='no prior_generator'):
        assert_comparable(anchors(), SimpleNamespace(), 'same')
