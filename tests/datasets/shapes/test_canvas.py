import math

import numpy as np
import pytest

from mmdet_kdrank.datasets.shapes.canvas import Brush, background, develop, stroke


def disc(**changes):
    fields = dict(
        outline='circle',
        fill='solid',
        centre=(20.0, 12.0),
        radii=(6.0, 6.0),
        angle=0.0,
        colour=(1.0, 0.5, 0.0),
        second_colour=(0.0, 0.0, 0.0),
    )
    return Brush(**{**fields, **changes})


def test_disc_has_its_place_area_and_colour():
    picture = np.zeros((40, 40, 3))
    covered = stroke(picture, disc())
    assert covered.sum() == pytest.approx(math.pi * 36, rel=0.03)
    rows, columns = np.nonzero(covered)
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx((12, 20))
    assert picture[12, 20].tolist() == [1.0, 0.5, 0.0]
    assert not picture[30:].any()


def test_rotation_turns_the_long_side():
    flat = stroke(np.zeros((40, 40, 3)), disc(centre=(20.0, 20.0), radii=(12.0, 4.0)))
    upright = stroke(
        np.zeros((40, 40, 3)), disc(centre=(20.0, 20.0), radii=(12.0, 4.0), angle=math.pi / 2)
    )
    assert flat.any(axis=0).sum() > 2 * flat.any(axis=1).sum()
    assert np.array_equal(flat.T, upright)


def test_object_outside_the_frame_covers_nothing():
    picture = np.zeros((40, 40, 3))
    assert not stroke(picture, disc(centre=(100.0, 12.0))).any()
    assert not picture.any()


def test_object_at_the_border_is_cut():
    assert stroke(np.zeros((40, 40, 3)), disc(centre=(0.0, 12.0)))[:, :6].any()


def test_background_has_texture_and_develop_quantises():
    rng = np.random.default_rng(0)
    ground = background(rng, 64)
    assert ground.shape == (64, 64, 3)
    assert ground.std(axis=(0, 1)).min() > 0.02
    picture = develop(rng, ground, grain=0.0)
    assert picture.dtype == np.uint8
    assert np.abs(picture / 255 - np.clip(ground, 0, 1)).max() <= 0.5 / 255 + 1e-9
