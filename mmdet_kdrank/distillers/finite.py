"""Stopping at values that are not finite."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet_kdrank.errors import NonFiniteError


def assert_finite(tensors: dict[str, Tensor]) -> None:
    """Name the first tensor that holds an inf or NaN.

    Args:
        tensors (dict[str, Tensor]): Tensors of any shape, by what the error calls them.

    Raises:
        FloatingPointError: If a value is not finite.
    """
    # Both extremes are finite where all values are: one pass without temporaries, and one transfer
    # from the device for all tensors; which one is at fault is asked only then.
    extremes = [bound for t in tensors.values() if t.numel() for bound in t.detach().aminmax()]
    if not extremes or torch.stack(extremes).isfinite().all():
        return
    name, tensor = next((n, t) for n, t in tensors.items() if not t.isfinite().all())
    wrong = int((~tensor.isfinite()).sum())
    raise NonFiniteError(
        f'{wrong} of {tensor.numel()} values of {name} are not finite. Nothing was updated in '
        'this iteration; lower the learning rate, clip gradients, or check the teacher checkpoint.'
    )
