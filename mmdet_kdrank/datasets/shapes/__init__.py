"""Procedural pictures of shapes in COCO format, bit for bit from a seed."""

from .folder import ShapesSpec, shapes_options, write_shapes
from .scene import ShapeObject, draw_scene
from .taxonomy import CLASSES, PALETTE, class_parts

__all__ = [
    'CLASSES',
    'PALETTE',
    'ShapeObject',
    'ShapesSpec',
    'class_parts',
    'draw_scene',
    'shapes_options',
    'write_shapes',
]
