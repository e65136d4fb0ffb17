"""Observing calls inside a detector without changing them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def watch_method(
    owner: nn.Module, name: str, observer: Callable[[dict[str, Any], Any], None]
) -> Iterator[None]:
    """Tell ``observer`` about every call of ``owner.name`` while the context lasts.

    Args:
        owner: Object with the method. Other instances of its class are not changed.
        name: Name of a plain method; for calls of a module, see :func:`watch_forward`.
        observer: Called with the arguments by name and the result, after each call.
    """
    method = getattr(owner, name)
    signature = inspect.signature(method)
    shadowed = vars(owner).get(name)

    @functools.wraps(method)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        observer(signature.bind(*args, **kwargs).arguments, result)
        return result

    setattr(owner, name, watched)
    try:
        yield
    finally:
        delattr(owner, name)
        if shadowed is not None:
            setattr(owner, name, shadowed)


@contextmanager
def watch_forward(
    module: nn.Module, observer: Callable[[dict[str, Any], Any], None]
) -> Iterator[None]:
    """Tell ``observer`` about every call of ``module`` while the context lasts.

    Args:
        module: The module, which gets a forward hook.
        observer: Called with the arguments of ``forward`` by name, in the order of its
            signature, and the result, after each call.
    """
    signature = inspect.signature(module.forward)

    def hook(_: nn.Module, args: tuple, kwargs: dict[str, Any], result: Any) -> None:
        observer(signature.bind(*args, **kwargs).arguments, result)

    handle = module.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
