"""Registering and looking up classes across the scopes of MMEngine's registries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mmengine.registry import Registry

Class = TypeVar('Class', bound=type)


def register(registry: Registry) -> Callable[[Class], Class]:
    """Return a decorator that registers a class for every scope.

    Configs of all projects find a class that MMEngine's own registry has. ``mmdet.NAME`` in the
    scope ``mmdet`` is only found in MMDetection's. A fork of MMDetection that has a class of the
    same name keeps it there.

    Args:
        registry: One of ``mmdet.registry``.
    """

    def decorate(kind: Class) -> Class:
        registry.parent.register_module(module=kind)
        if kind.__name__ not in registry.module_dict:
            registry.register_module(module=kind)
        return kind

    return decorate


def find(registry: Registry, kind: str | type, scope: str | None = None) -> type | None:
    """Return a registered class; None if there is none of this name.

    A name is looked up in the scope, in MMEngine, and then in MMDetection. So a config of another
    project names MMDetection's losses with or without ``mmdet.`` before them.

    Args:
        registry: One of ``mmdet.registry``.
        kind: The name, or the class itself, as pure Python configs write it.
        scope: Defaults to MMEngine's default scope, which a runner sets.

    Example:
        >>> from mmdet.registry import MODELS
        >>> find(MODELS, 'KendallRankLoss') is find(MODELS, 'mmdet.KendallRankLoss')
        True
    """
    if not kind or not isinstance(kind, str):
        return kind or None
    with registry.switch_scope_and_registry(scope) as scoped:
        return scoped.get(kind) or registry.get(kind)


def build(registry: Registry, config: Mapping[str, Any]) -> Any:
    """Build an object of a config whose ``type`` is looked up by :func:`find`.

    Args:
        registry: One of ``mmdet.registry``.
        config: The config, with ``type``.

    Raises:
        KeyError: If its type is not registered.
    """
    if isinstance(config, Mapping) and config.get('type') is not None:
        kind = find(registry, config['type'], config.get('_scope_'))
        config = {**config, 'type': kind or config['type']}
    return registry.build(config)
