import pytest

from mmdet_kdrank.datasets import shapes


@pytest.mark.parametrize('name', shapes.__all__)
def test_names_load_on_first_use(name):
    assert getattr(shapes, name).__class__ is not None
    if callable(getattr(shapes, name)):
        assert getattr(shapes, name).__name__ == name


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="shapes' has no attribute 'circles'"):
        shapes.circles  # noqa: B018
