"""Procedural pictures of shapes in COCO format, bit for bit from a seed."""

from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, shapes_options, write_shapes
from mmdet_kdrank.datasets.shapes.scene import ShapeObject, draw_scene
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES, PALETTE, class_parts

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
