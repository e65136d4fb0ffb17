"""Outlines and fills as predicates over points.

Images must be equal on every machine and numpy version. So array code uses only operations that
IEEE 754 defines exactly (+ - * / floor, comparisons). numpy's vectorised sin or exp may differ in
the last bit between processors.
"""

import math

import numpy as np

from mmdet_kdrank.errors import ArgumentError

# Distances of the bounding lines of the polygons from their centre, chosen for similar areas.
_SQUARE, _TRIANGLE, _STAR = 0.88, 0.66, 0.42
_HOLLOW_INNER = 0.58
_STRIPES_PER_UNIT = 2.2


def _lines_kept(u: np.ndarray, v: np.ndarray, sides: int, distance: float) -> np.ndarray:
    """Count, for each point, the lines of a regular figure whose inner side it is on."""
    kept = np.zeros(u.shape, dtype=np.int64)
    for i in range(sides):
        angle = 2 * math.pi * i / sides
        kept += u * math.cos(angle) + v * math.sin(angle) <= distance
    return kept


def inside(outline: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return which points lie inside an outline of about unit radius.

    Args:
        outline: One of ``taxonomy.OUTLINES``, or ``'square'`` for clutter.
        u: Abscissas in units of the object's radius, any shape.
        v: Ordinates, same shape.

    Returns:
        Boolean array of the same shape.
    """
    if outline == 'circle':
        return u * u + v * v <= 1.0
    if outline == 'square':
        return _lines_kept(u, v, 4, _SQUARE) == 4
    if outline == 'triangle':
        return _lines_kept(u, v, 3, _TRIANGLE) == 3
    if outline == 'star':
        # A point is in the pentagram if at most one of its five lines excludes it.
        return _lines_kept(u, v, 5, _STAR) >= 4
    raise ArgumentError(f'unknown outline {outline!r}')


def paint(outline: str, fill: str, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where an object is painted, and where that paint has its second colour.

    Args:
        outline: As for :func:`inside`.
        fill: One of ``taxonomy.FILLS``; the hole of a hollow object is transparent.
        u: Abscissas in units of the object's radius, any shape.
        v: Ordinates, same shape.

    Returns:
        Two boolean arrays of that shape, the second contained in the first.
    """
    opaque = inside(outline, u, v)
    if fill == 'solid':
        return opaque, np.zeros_like(opaque)
    if fill == 'hollow':
        opaque &= ~inside(outline, u / _HOLLOW_INNER, v / _HOLLOW_INNER)
        return opaque, np.zeros_like(opaque)
    if fill == 'striped':
        return opaque, opaque & (np.floor(u * _STRIPES_PER_UNIT * 2) % 2 == 0)
    raise ArgumentError(f'unknown fill {fill!r}')
