"""Background, brush and sensor noise, which turn outlines into an image."""

import math
from dataclasses import dataclass

import numpy as np

from mmdet_kdrank.datasets.shapes.outlines import paint

_SUBPIXELS = 3
_OCTAVES = ((4, 0.30), (10, 0.20), (28, 0.14))  # (cells along a side, contrast)


@dataclass(frozen=True)
class Brush:
    """One object to draw; lengths in pixels, colours RGB in [0, 1]."""

    outline: str
    fill: str
    centre: tuple[float, float]
    radii: tuple[float, float]
    angle: float
    colour: tuple[float, float, float]
    second_colour: tuple[float, float, float]
    shading: float = 0.0


def _value_noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Interpolate a random grid bilinearly to (size, size, 1) values in [-0.5, 0.5]."""
    grid = rng.random((cells + 2, cells + 2, 1)) - 0.5
    at = (np.arange(size) + 0.5) * (cells / size)
    low = np.floor(at).astype(np.int64)
    part = at - low
    rows = grid[low] * (1 - part)[:, None, None] + grid[low + 1] * part[:, None, None]
    columns = part[None, :, None]
    return rows[:, low] * (1 - columns) + rows[:, low + 1] * columns


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a tinted, mottled background.

    Args:
        rng: Source of all its choices.
        size: Pixels along a side.

    Returns:
        (size, size, 3) float64 RGB, about [0, 1].
    """
    ground = np.empty((size, size, 3))
    ground[:] = 0.2 + 0.5 * rng.random() + 0.3 * (rng.random(3) - 0.5)
    for cells, contrast in _OCTAVES:
        tint = 0.75 + 0.5 * rng.random(3)
        ground += contrast * 2 * _value_noise(rng, size, cells) * tint
    return ground


def stroke(image: np.ndarray, brush: Brush) -> np.ndarray:
    """Draw an object over an image, in place, with smoothed edges.

    Args:
        image: (size, size, 3) float64 RGB.
        brush: What to draw.

    Returns:
        (size, size) bool, the pixels of which the object covers at least half.
    """
    size = image.shape[0]
    covered = np.zeros((size, size), dtype=bool)
    (x, y), reach = brush.centre, 1.5 * max(brush.radii)
    left, top = (max(0, math.floor(c - reach)) for c in (x, y))
    right, bottom = (min(size, math.ceil(c + reach)) for c in (x, y))
    if right <= left or bottom <= top:
        return covered

    def subpixels(start: int, stop: int) -> np.ndarray:
        return start + (np.arange((stop - start) * _SUBPIXELS) + 0.5) / _SUBPIXELS

    dx = (subpixels(left, right) - x)[None, :]
    dy = (subpixels(top, bottom) - y)[:, None]
    cos, sin = math.cos(brush.angle), math.sin(brush.angle)
    u = (dx * cos + dy * sin) / brush.radii[0]
    v = (dy * cos - dx * sin) / brush.radii[1]
    opaque, second = paint(brush.outline, brush.fill, u, v)

    shape = (bottom - top, _SUBPIXELS, right - left, _SUBPIXELS)
    full = _SUBPIXELS * _SUBPIXELS
    opaque_count = opaque.reshape(shape).sum(axis=(1, 3))
    second_count = second.reshape(shape).sum(axis=(1, 3))[..., None]
    light = 1 + brush.shading * u.reshape(shape)[:, 1, :, 1][..., None]
    first = opaque_count[..., None] - second_count
    mixed = first * np.array(brush.colour) + second_count * np.array(brush.second_colour)
    patch = image[top:bottom, left:right]
    patch *= 1 - opaque_count[..., None] / full
    patch += mixed * light / full
    covered[top:bottom, left:right] = 2 * opaque_count >= full
    return covered


def develop(rng: np.random.Generator, image: np.ndarray, grain: float) -> np.ndarray:
    """Add sensor noise and quantise.

    Args:
        rng: Source of the noise.
        image: (size, size, 3) float64 RGB.
        grain: Peak of the noise, as a share of full scale.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    noise = rng.random(image.shape) + rng.random(image.shape) - 1
    return np.clip(np.floor((image + grain * noise) * 255 + 0.5), 0, 255).astype(np.uint8)
