"""Stopping at values that are not finite."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet_kdrank.distributed import on_any_rank, reports_of_all_ranks


def assert_finite(tensors: dict[str, Tensor]) -> None:
    """Name the first tensor that holds an inf or NaN, on whichever rank.

    All ranks call it in the same iteration, and all raise if one has such a value: none updates its
    weights, and none waits for gradients that do not come.

    Args:
        tensors (dict[str, Tensor]): Tensors of any shape, by what the error calls them.

    Raises:
        FloatingPointError: If a value is not finite.
    """
    # Both extremes are finite where all values are: one pass without temporaries, and one transfer
    # from the device for all tensors; which one is at fault is asked only then.
    extremes = [bound for t in tensors.values() if t.numel() for bound in t.detach().aminmax()]
    # Asked without values too: the other ranks wait for the answer.
    finite = torch.stack(extremes).isfinite().all() if extremes else torch.tensor(True)
    if not on_any_rank(~finite):
        return
    found = reports_of_all_ranks(_report(tensors))
    raise FloatingPointError(
        f'{found} Nothing was updated in this iteration; lower the learning rate, clip gradients, '
        'or check the teacher checkpoint.'
    )


def _report(tensors: dict[str, Tensor]) -> str | None:
    for name, tensor in tensors.items():
        wrong = int((~tensor.isfinite()).sum())
        if wrong:
            return f'{wrong} of {tensor.numel()} values of {name} are not finite.'
    return None
