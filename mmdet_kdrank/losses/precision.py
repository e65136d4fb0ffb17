"""In which precision losses are computed."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """Half precision as float32; the rest as it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
