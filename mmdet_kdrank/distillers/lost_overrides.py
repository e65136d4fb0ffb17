"""Refusing a distilling config that loses overrides of the student's own class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_kdrank.distillers.config_files import base_files
from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.scopes import find


def assert_nothing_lost(config: str) -> None:
    """Refuse a config whose distiller drops overrides of the class of its base config.

    A detector only sees its own arguments. The class of the base config is only in the files, so
    this check is for tools that get a config file.

    Args:
        config: Path of a config file.

    Raises:
        TypeError: If the config's detector is a distiller without ``student_type`` and a config it
            inherits from names a class that overrides something of MMDetection's base class.
    """
    model = Config.fromfile(config).get('model', {})
    distiller = find(MODELS, model.get('type'))
    if not hasattr(distiller, 'family') or model.get('student_type'):
        return
    detectors = (find(MODELS, name) for name in _base_detectors(config))
    stock = (cls for cls in detectors if cls is not None and not hasattr(cls, 'family'))
    student = next(stock, distiller.family)
    lost = [
        attribute
        for attribute, value in inspect.getmembers(distiller.family)
        if not attribute.startswith('_') and getattr(student, attribute, None) is not value
    ]
    if lost:
        raise ArgumentTypeError(
            f'{config} builds {distiller.__name__} over {distiller.family.__name__} and loses '
            f'what {student.__name__} overrides: {", ".join(lost)}. Keep that class with '
            f'student_type={student.__name__!r}.'
        )


def _base_detectors(config: str) -> Iterator[str | type]:
    """Types of the detectors named by the configs that ``config`` inherits from, nearest first."""
    for path in base_files(config):
        name = Config.fromfile(path).get('model', {}).get('type')
        if name:
            yield name
        yield from _base_detectors(path)
