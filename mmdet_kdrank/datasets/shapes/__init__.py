"""Procedural images of shapes in COCO format, equal bit for bit for one seed."""

from importlib import import_module
from typing import Any

# Drawing is loaded on first use: training needs the names of the classes alone.
_MODULE_OF = {
    'CLASSES': 'taxonomy',
    'PALETTE': 'taxonomy',
    'ShapeObject': 'scene',
    'ShapesSpec': 'folder',
    'class_parts': 'taxonomy',
    'draw_scene': 'scene',
    'shapes_options': 'folder',
    'write_shapes': 'folder',
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_MODULE_OF[name]}'), name)
