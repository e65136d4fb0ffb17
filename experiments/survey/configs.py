"""The detector configs that MMDetection ships."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import mmdet
from mmengine.config import Config

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'


@dataclass(frozen=True)
class StockConfig:
    """A config file, and what of it a distiller sees.

    Args:
        name: Path below MMDetection's ``configs``.
        model: Its model; None where there is none.
        imports: Its ``custom_imports``.
        problem: Why there is no model.
    """

    name: str
    model: dict | None = None
    imports: tuple[str, ...] = ()
    problem: str = ''


def stock_configs(pattern: str = '*', root: Path = CONFIGS) -> Iterator[StockConfig]:
    """Read all configs that are not there to be inherited from alone.

    Args:
        pattern: Shell pattern that a config's name must match.
        root: Folder of the configs.

    Yields:
        In the order of their names.
    """
    for path in sorted(root.rglob('*.py')):
        name = path.relative_to(root)
        if '_base_' not in name.parts and fnmatch(str(name), pattern):
            yield _read(path, str(name))


def _read(path: Path, name: str) -> StockConfig:
    try:
        config = Config.fromfile(path)
    except FileNotFoundError as error:
        # MMEngine gives the path in its message alone.
        missing = Path(error.filename or str(error).split('"')[1]).name
        return StockConfig(name, problem=f'inherits from {missing}, which is not shipped')
    except ImportError as error:
        return StockConfig(name, problem=f'needs the package {_missing_package(error)}')
    if 'type' not in (config.get('model') or {}):
        return StockConfig(name, problem='no model: a schedule, a data set or test-time settings')
    scope = config.get('default_scope', 'mmdet')
    if scope != 'mmdet':
        return StockConfig(name, problem=f"a model of {scope}, not one of MMDetection's detectors")
    imports = config.get('custom_imports', {}).get('imports', ())
    return StockConfig(name, config.model.to_dict(), tuple(imports))


def _missing_package(error: ImportError) -> str:
    """The package that MMEngine's message names; its own errors carry no ``name``."""
    custom = re.search(r"'imports': \['(\w+)", str(error))
    return custom.group(1) if custom else error.name or str(error).split(' ', 1)[0]
