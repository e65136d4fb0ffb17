"""The files of a distilling config: those it inherits from, what they import, and its teacher's."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config

from mmdet_kdrank.errors import ArgumentError

KEEP_IMPORTS = "custom_imports = dict(imports=[*_base_.custom_imports.imports, 'mmdet_kdrank'])"
"""The line that keeps the imports of a base config."""


def base_files(config: str) -> list[str]:
    """Return the config files that a config file names as its bases.

    Args:
        config: Path of a config file, with ``_base_`` or with ``read_base``.
    """
    if not Config._is_lazy_import(config):
        return [Config._get_cfg_path(base, config)[0] for base in Config._get_base_files(config)]
    modules = Config._get_base_modules(ast.parse(Path(config).read_text(encoding='utf-8')).body)
    return [str(_file_of(module, Path(config))) for module in modules]


def _file_of(module: str, config: Path) -> Path:
    """Return the file of a module that ``read_base`` imports, as MMEngine looks it up."""
    dots = len(re.match(r'\.*', module)[0])
    if dots:
        return config.parent.joinpath(*['..'] * (dots - 1), *module[dots:].split('.')).with_suffix(
            '.py'
        )
    package, *parts = module.split('.')
    return Path(find_spec(package).origin).parent.joinpath(*parts).with_suffix('.py')


def assert_imports_kept(config: str) -> None:
    """Refuse a config that drops the ``custom_imports`` of a config it inherits from.

    MMEngine replaces the list, so what a base config registers would be missing.

    Args:
        config: Path of a config file.

    Raises:
        ValueError: If a base imports a module that the config does not.
    """
    if Config._is_lazy_import(config):
        return
    kept = _imports(config)
    for base in base_files(config):
        if dropped := [module for module in _imports(base) if module not in kept]:
            raise ArgumentError(
                f'{config} has custom_imports, which replace those of {base}: '
                f'{", ".join(dropped)} would not be imported. Write: {KEEP_IMPORTS}'
            )


def _imports(config: str) -> list[str]:
    custom = Config.fromfile(config, import_custom_modules=False).get('custom_imports') or {}
    modules = custom.get('imports') or []
    return [modules] if isinstance(modules, str) else list(modules)


def teacher_options(config: Config, file: str) -> list[str]:
    """Return ``--cfg-options`` for the paths of the teacher that are relative to the config file.

    A path is looked for in the working folder first, and then in the folder of the config file.

    Args:
        config: The config of a run.
        file: Path of its file.
    """
    teacher = (config.get('model') or {}).get('teacher')
    options = []
    for key in ('config', 'checkpoint') if isinstance(teacher, dict) else ():
        path = teacher.get(key)
        if not isinstance(path, str) or ':' in path or Path(path).exists():
            continue
        beside = Path(file).parent / path
        if beside.exists():
            options.append(f'model.teacher.{key}={beside}')
    return options
