"""What was probably meant, and what a failed constructor objects to, for messages of errors."""

from __future__ import annotations

import difflib
import inspect
import re
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the most similar of ``known``; empty if none is similar.

    Args:
        name: What was written.
        known: What could have been written.

    Example:
        >>> did_you_mean('KendalRankLoss', ['KendallRankLoss', 'DKDLoss'])
        ' Did you mean KendallRankLoss?'
        >>> did_you_mean('tau', ['steepness'])
        ''
    """
    # Upper and lower case are confused more often than letters.
    by_lower = {str(other).lower(): str(other) for other in known if str(other) != str(name)}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.7)
    return f' Did you mean {by_lower[close[0]]}?' if close else ''


def class_name(cls: type) -> str:
    """Return the name of a class, with its module unless it is MMDetection's own.

    Example:
        >>> class_name(type('SSDHead', (), {'__module__': 'mmdet.models.dense_heads.ssd_head'}))
        'SSDHead'
        >>> class_name(type('SSDHead', (), {'__module__': 'project.heads'}))
        'project.heads.SSDHead'
    """
    own = cls.__module__.partition('.')[0] in ('mmdet', 'mmdet_kdrank', 'builtins')
    return cls.__qualname__ if own else f'{cls.__module__}.{cls.__qualname__}'


def reason_of(error: Exception) -> str:
    """Return why MMEngine could not build something, in sentences.

    Args:
        error: What its builder raised.

    Returns:
        The text of the error, and the type or argument that was probably meant. An assertion
        without a text is quoted, with the values of its variables. If a number was given as text,
        that is the reason.
    """
    # A KeyError shows its message in quotes.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, AssertionError) and not text:
        text = _condition(error)
    reason = ' '.join((text or type(error).__name__).split()).rstrip('.')
    build = _build_frame(error.__traceback__)
    if build is None:
        return f'{reason}.'
    if ' registry. Please check whether ' in reason:
        hint = did_you_mean(build['obj_type'].rpartition('.')[2], _registered(build['registry']))
        return reason.split(' Please check')[0] + (hint or ' Import the package that registers it.')
    if quoted := quoted_numbers(build.get('obj_cls'), build.get('args', {})):
        return quoted
    unknown = re.search(r"unexpected keyword argument '(\w+)'", reason)
    hint = did_you_mean(unknown[1], _arguments(build.get('obj_cls'))) if unknown else ''
    return f'{reason}.{hint}'


def quoted_numbers(cls: Any, config: dict) -> str:
    """Return a sentence about numbers that a config gives as text; empty if there are none.

    Args:
        cls: The class that the config builds. A parameter takes a number if its default is one.
        config: Its arguments.

    Example:
        >>> def loss(T=1): ...
        >>> quoted_numbers(loss, dict(T='2'))
        "T='2' is text, not a number: write T=2."
    """
    try:
        parameters = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return ''
    for name, value in config.items():
        default = parameters[name].default if name in parameters else None
        if isinstance(value, str) and type(default) in (int, float):
            fix = f'write {name}={value}' if _is_number(value) else f'say, {name}={default}'
            return f'{name}={value!r} is text, not a number: {fix}.'
    return ''


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _condition(error: AssertionError) -> str:
    """Quote the failed ``assert``, with the values of the plain variables in it."""
    line = traceback.extract_tb(error.__traceback__)[-1].line or ''
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    condition = line.removeprefix('assert ')
    values = ', '.join(
        f'{name}={value!r}'
        for name, value in trace.tb_frame.f_locals.items()
        if isinstance(value, (int, float, str)) and re.search(rf'\b{name}\b', condition)
    )
    return f'the condition `{condition}` does not hold for {values}' if values else line


def _build_frame(trace: TracebackType | None) -> dict[str, Any] | None:
    """Return the local variables of the innermost builder of MMEngine; None if there is none."""
    found = None
    while trace:
        if trace.tb_frame.f_code.co_name == 'build_from_cfg':
            found = trace.tb_frame.f_locals
        trace = trace.tb_next
    return found


def _registered(registry: Any) -> set[str]:
    names: set[str] = set()
    while registry is not None:
        names.update(registry.module_dict)
        registry = registry.parent
    return names


def _arguments(cls: Any) -> set[str]:
    """Return the names of the arguments of a class and, behind ``**kwargs``, of its bases."""
    names: set[str] = set()
    for owner in inspect.getmro(cls) if inspect.isclass(cls) else ():
        if '__init__' in vars(owner):
            names.update(inspect.signature(owner.__init__).parameters)
    return names - {'self', 'args', 'kwargs', 'options'}
