"""The shapes drawn another way: polygons filled by OpenCV, each over the ones before."""

from __future__ import annotations

import math

import cv2
import numpy as np

from mmdet_kdrank.datasets.shapes.canvas import Brush

FINE = 8  # pixels of the drawing along one of the picture
HOLE = 0.58


def corners(outline: str) -> np.ndarray:
    """Corners of an outline of about unit radius, (N, 2)."""
    if outline == 'circle':
        return polygon(180, np.ones(1))
    if outline == 'square':
        return polygon(4, np.array([0.88 * math.sqrt(2)]), turned=math.pi / 4)
    if outline == 'triangle':
        return polygon(3, np.array([2 * 0.66]), turned=math.pi / 3)
    # A star of five points and as many dents.
    radii = 0.42 / np.cos([math.pi * 2 / 5, math.pi / 5])
    return polygon(10, radii)


def polygon(number: int, radii: np.ndarray, turned: float = 0.0) -> np.ndarray:
    angles = turned + 2 * math.pi * np.arange(number) / number
    return np.resize(radii, number)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def cover(brush: Brush, size: int) -> np.ndarray:
    """Pixels of which the object covers at least half, (size, size) bool."""
    u, v = (corners(brush.outline) * brush.radii).T
    cos, sin = math.cos(brush.angle), math.sin(brush.angle)
    offsets = np.stack([u * cos - v * sin, u * sin + v * cos], axis=1)
    fine = np.zeros((size * FINE, size * FINE), dtype=np.uint8)
    for scale, value in ((1.0, 1), (HOLE, 0)) if brush.fill == 'hollow' else ((1.0, 1),):
        # OpenCV counts from the centre of a pixel, in 16ths of one here.
        points = ((brush.centre + scale * offsets) * FINE - 0.5) * 16
        cv2.fillPoly(fine, [np.rint(points).astype(np.int32)], value, shift=4)
    return fine.reshape(size, FINE, size, FINE).mean(axis=(1, 3)) >= 0.5


def painted(brushes: list[Brush], size: int) -> np.ndarray:
    """Number of the brush that is seen at each pixel, -1 for the ground, (size, size)."""
    seen = np.full((size, size), -1)
    for number, brush in enumerate(brushes):
        seen[cover(brush, size)] = number
    return seen
