"""How an attempt at a config ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmdet_kdrank.errors import KDRankError

WORKS, REFUSED, FAILED, NOT_RUN = 'works', 'refused', 'failed', 'not run'


@dataclass(frozen=True)
class Outcome:
    """What became of a config.

    Args:
        result: ``'works'``; ``'refused'`` by a distiller, on purpose; ``'failed'`` on
            anything else; ``'not run'`` where there is nothing to run.
        reason: Why it does not work, in a sentence or two.
        seconds: How long that took.
    """

    result: str
    reason: str = ''
    seconds: float = 0.0


def outcome_of(error: Exception) -> Outcome:
    """Tell a refusal from a fault.

    Args:
        error: What the attempt raised.

    Returns:
        Refused if this package raised it on purpose, else failed.
    """
    for cause in _chain(error):
        if isinstance(cause, KDRankError):
            return Outcome(REFUSED, _one_line(cause))
    return Outcome(FAILED, described(error))


def described(error: Exception) -> str:
    """An error in one line: its type, its message and where it was raised."""
    file, line = _innermost(error)
    place = f'{"/".join(Path(file).parts[-2:])}:{line}'
    return f'{type(error).__name__}: {_one_line(error)} ({place})'


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _innermost(error: BaseException) -> tuple[str, int]:
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno


def _one_line(error: BaseException) -> str:
    # A KeyError shows its message quoted.
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    return ' '.join(str(message).split())
