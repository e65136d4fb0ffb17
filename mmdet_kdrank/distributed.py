"""What the ranks of one training have to agree on.

Every function here is a collective: all ranks call it, equally often and in the same order.

A rank that raises alone leaves the others waiting in their next collective. On the same machine the
launcher ends them at once; elsewhere only the time-out does. Where every rank can learn of a fault
at one point of the program, the ranks report to each other and raise together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from torch import Tensor

from mmdet_kdrank.errors import KDRankError

Result = TypeVar('Result')


class OtherRankError(KDRankError, RuntimeError):
    """Another rank has failed; the message comes from that rank."""


def on_all_ranks(action: Callable[[], Result]) -> Result:
    """Run an action on every rank, and go on only if it succeeded on all of them.

    Args:
        action: Takes no argument. It must not contain collectives: if a rank fails before one, the
            others would wait in it.

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


def on_any_rank(flag: bool) -> bool:
    """Return whether a flag is set on at least one rank.

    Args:
        flag: This rank's flag.
    """
    if get_world_size() == 1:
        return flag
    count = torch.tensor(float(flag))
    all_reduce(count)
    return bool(count)


def reports_of_all_ranks(report: str | None) -> str:
    """Gather the reports of all ranks.

    Args:
        report: This rank's report; None if it has none.

    Returns:
        The reports, each with the ranks that made it in front; empty if there are none. With one
        rank, the report itself.
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


def global_avg_factor(total: float | Tensor, device: torch.device | str) -> float | Tensor:
    """Return the divisor with which the mean over ranks is the loss of the global batch.

    DistributedDataParallel averages the gradients of W ranks. With the returned
    ``max(sum of the totals, 1) / W`` that average is the gradient of one process that has all rows:
    ``1/W * sum_r (S_r / (T / W)) = sum_r S_r / T``. With each rank's own total it would be the mean
    of the ranks' means. There, a row counts more if its rank has fewer rows.

    This is a collective: a rank without rows must call it too, because the others wait for it. With
    one rank nothing is sent.

    Args:
        total: The rank's own number or weight of rows, a scalar; 0 without rows.
        device: Device of the loss, where the totals are added up.

    Returns:
        The ``avg_factor``, the same on all ranks, greater than 0. With one rank
        ``max(total, 1)``. A tensor stays on its device, because reading it would wait there.
    """
    ranks = get_world_size()
    if ranks == 1:
        return total.clamp(min=1) if isinstance(total, Tensor) else max(total, 1.0)
    summed = torch.as_tensor(total, dtype=torch.float32, device=device).detach().clone()
    all_reduce(summed)
    return summed.clamp(min=1) / ranks
