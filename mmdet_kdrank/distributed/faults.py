"""A fault on one rank stops all of them.

A rank that raises alone leaves the others in their next collective until somebody ends them: the
launcher on the same machine at once, the time-out elsewhere. Where a fault can be known at one
point of the program on every rank, they tell each other and raise together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mmengine.dist import all_gather_object, all_reduce, get_world_size
from torch import Tensor

from mmdet_kdrank.errors import KDRankError

Result = TypeVar('Result')


class OtherRankError(KDRankError, RuntimeError):
    """Another rank has failed; the message is that rank's own."""


def on_all_ranks(action: Callable[[], Result]) -> Result:
    """Run an action on every rank, and go on only if it succeeded on all of them.

    Args:
        action: Takes nothing. It must not contain collectives: a rank that fails before
            one would leave the others in it.

    Returns:
        What the action returned on this rank.

    Raises:
        Exception: What the action raised on this rank.
        OtherRankError: If it succeeded here and failed elsewhere.
    """
    if get_world_size() == 1:
        return action()
    result, fault = None, None
    try:
        result = action()
    except Exception as error:
        fault = error
    reports = reports_of_all_ranks(fault and f'{type(fault).__name__}: {fault}')
    if fault is not None:
        raise fault
    if reports:
        raise OtherRankError(reports)
    return result


def on_any_rank(flag: Tensor) -> bool:
    """Whether something is so on at least one rank.

    Args:
        flag: Whether it is so on this one: a bool scalar, on any device. It is read from
            the device once, after the ranks have added theirs up.
    """
    if get_world_size() == 1:
        return bool(flag)
    count = flag.float()
    all_reduce(count)
    return bool(count)


def reports_of_all_ranks(report: str | None) -> str:
    """Gather what the ranks have to report.

    Args:
        report: This rank's report; None if it has none.

    Returns:
        The reports, each after the ranks that made it; empty without any. With one rank the
        report itself.
    """
    if get_world_size() == 1:
        return report or ''
    gathered = all_gather_object(report)
    ranks: dict[str, list[str]] = {}
    for rank, text in enumerate(gathered):
        if text is not None:
            ranks.setdefault(text, []).append(str(rank))
    return ' '.join(
        f'[rank {", ".join(numbers)} of {len(gathered)}] {text}' for text, numbers in ranks.items()
    )
