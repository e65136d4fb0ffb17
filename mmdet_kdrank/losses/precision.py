"""In which precision losses are computed."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """Convert half precision to float32, and leaves the rest as it is.

    Args:
        tensor: Of any floating-point dtype and shape.

    Returns:
        Float32 or float64, of the same shape.

    Example:
        >>> full_precision(torch.ones(2, dtype=torch.float16)).dtype
        torch.float32
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
