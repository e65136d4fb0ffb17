"""The normaliser of a loss whose rows lie on several ranks."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


def global_avg_factor(total: float | Tensor, device: torch.device | str) -> float:
    """Return the divisor with which the mean over ranks is the loss of the global batch.

    DistributedDataParallel averages the gradients of W ranks. With the returned
    ``max(sum of the totals, 1) / W`` that average is the gradient of one process that has all rows:
    ``1/W * sum_r (S_r / (T / W)) = sum_r S_r / T``. With each rank's own total it would be the mean
    of the ranks' means, in which a row counts the more the fewer its rank has.

    A collective, even for a rank without rows: the other ranks wait for it. Nothing is sent where
    there is one rank.

    Args:
        total: The rank's own number or weight of rows, a scalar, 0 without any.
        device: Where it is added up: that of the loss.

    Returns:
        The ``avg_factor``, the same on all ranks, greater than 0. With one rank
        ``max(total, 1)``.
    """
    ranks = get_world_size()
    if ranks == 1:
        return max(float(total), 1.0)
    summed = torch.as_tensor(total, dtype=torch.float32, device=device).detach().clone()
    all_reduce(summed)
    return max(float(summed), 1.0) / ranks
