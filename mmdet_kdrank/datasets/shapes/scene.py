"""Draws one image of the data set with its annotations, from a seed."""

import math
from dataclasses import dataclass, field

import numpy as np

from mmdet_kdrank.datasets.shapes.canvas import Brush, background, develop, stroke
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES, HUES, class_parts, hsv_to_rgb

SPLITS = ('train', 'val')
MIN_VISIBLE_SHARE = 0.4
_MIN_SIDE = 5  # pixels; smaller visible parts cannot be recognised


@dataclass(frozen=True, eq=False)
class ShapeObject:
    """One annotated object."""

    label: int  # index into CLASSES
    box: tuple[int, int, int, int]  # x, y, width, height: tight around the visible pixels
    area: int  # visible pixels
    visible: float  # share of its pixels within the frame that nothing hides
    mask: np.ndarray = field(repr=False)  # (size, size) bool: the visible pixels


def _random_brush(rng: np.random.Generator, label: int, size: int) -> Brush:
    outline, fill, hue = class_parts(label)
    # There are many small objects and few large ones, as in natural images.
    radius = size * (0.075 + 0.145 * rng.random() ** 2)
    aspect = 0.85 + 0.3 * rng.random()
    centre = tuple(size * (0.04 + 0.92 * rng.random(2)))
    degrees = HUES[hue] + 30 * (rng.random() - 0.5)
    saturation, value = 0.45 + 0.5 * rng.random(), 0.4 + 0.6 * rng.random()
    # Stripes are lighter on dark objects and darker on light ones.
    other_value = value - 0.38 if value > 0.7 else value + 0.38
    return Brush(
        outline=outline,
        fill=fill,
        centre=centre,
        radii=(radius * aspect, radius / aspect),
        angle=2 * math.pi * rng.random(),
        colour=hsv_to_rgb(degrees, saturation, value),
        second_colour=hsv_to_rgb(degrees, 0.6 * saturation, other_value),
        shading=0.25 * (rng.random() - 0.5),
    )


def _random_clutter(rng: np.random.Generator, size: int) -> Brush:
    """Return a grey bar that belongs to no class: it hides objects, but is none."""
    grey = (0.15 + 0.7 * rng.random(),) * 3
    return Brush(
        outline='square',
        fill='solid',
        centre=tuple(size * rng.random(2)),
        radii=(size * (0.1 + 0.25 * rng.random()), size * (0.008 + 0.016 * rng.random())),
        angle=2 * math.pi * rng.random(),
        colour=grey,
        second_colour=grey,
    )


def draw_scene(
    seed: int, split: str, index: int, size: int = 128
) -> tuple[np.ndarray, list[ShapeObject]]:
    """Draw one image; every image has its own random stream, so it can be drawn alone.

    Args:
        seed: Seed of the data set.
        split: ``'train'`` or ``'val'``.
        index: Number of the image within its split.
        size: Pixels along a side.

    Returns:
        (size, size, 3) uint8 RGB and the annotated objects in drawing order. An object whose
        visible share is below ``MIN_VISIBLE_SHARE`` is drawn but not annotated.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    image = background(rng, size)
    for _ in range(int(rng.integers(0, 4))):
        stroke(image, _random_clutter(rng, size))
    labels = rng.integers(0, len(CLASSES), size=int(rng.integers(3, 9)))
    brushes = [_random_brush(rng, int(label), size) for label in labels]
    object_masks = [stroke(image, brush) for brush in brushes]
    clutter_masks = [
        stroke(image, _random_clutter(rng, size)) for _ in range(int(rng.integers(0, 3)))
    ]
    objects = []
    hidden = np.zeros((size, size), dtype=bool)
    for mask in clutter_masks:
        hidden |= mask
    for label, mask in zip(labels[::-1], object_masks[::-1], strict=True):
        visible = mask & ~hidden
        hidden |= mask
        annotation = _annotate(int(label), visible, int(mask.sum()))
        if annotation is not None:
            objects.append(annotation)
    return develop(rng, image, grain=0.06), objects[::-1]


def _annotate(label: int, visible: np.ndarray, full_area: int) -> ShapeObject | None:
    """Describe the visible part of an object, or return None if that is too small."""
    area = int(visible.sum())
    if area == 0 or area < MIN_VISIBLE_SHARE * full_area:
        return None
    columns, rows = np.flatnonzero(visible.any(axis=0)), np.flatnonzero(visible.any(axis=1))
    left, top = int(columns[0]), int(rows[0])
    width, height = int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top
    if min(width, height) < _MIN_SIDE:
        return None
    share = round(area / full_area, 3)
    return ShapeObject(label, (left, top, width, height), area, share, visible)
