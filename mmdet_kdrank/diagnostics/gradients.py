"""Size and direction of the gradients of losses at the class logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmdet_kdrank.heads.class_output import ClassOutput


@dataclass(frozen=True)
class Pull:
    """A gradient, compared with that of the detection losses.

    Args:
        ratio: Its norm divided by the norm of the detection losses' gradient.
        cosine: Cosine of the angle between the two, in [-1, 1]; negative if they disagree.
    """

    ratio: float
    cosine: float


def class_gradient(
    value: Tensor, output: ClassOutput, tensors: Sequence[Tensor], scale: float = 1.0
) -> list[Tensor] | None:
    """Return the gradient of a loss at the class part of a head's outputs, and keep the graph.

    Args:
        value: A loss, a scalar.
        output: Declaration of the class output in the tensors.
        tensors: Class maps (B, A * values, H, W), or RoIs (N, values).
        scale: Factor on the gradient, against underflow in half precision.

    Returns:
        One gradient a tensor, in float32, (..., channels). None if the loss depends on no tensor.
    """
    if not value.requires_grad or not tensors:
        return None
    gradients = torch.autograd.grad(value * scale, tensors, retain_graph=True, allow_unused=True)
    if all(gradient is None for gradient in gradients):
        return None
    # A gradient is laid out like its tensor, and never turned into logits.
    layout = replace(output, kind='joint')
    whole = [
        torch.zeros_like(tensor) if gradient is None else gradient
        for gradient, tensor in zip(gradients, tensors, strict=True)
    ]
    return [(layout.rows(g) if g.dim() == 4 else layout.logits(g)).float() for g in whole]


def pull(gradient: Sequence[Tensor] | None, detection: Sequence[Tensor] | None) -> Pull | None:
    """Compare two gradients at the same tensors; None if one is missing, zero or not finite."""
    if gradient is None or detection is None:
        return None
    norm, detection_norm = _norm(gradient), _norm(detection)
    if not (0 < norm < torch.inf and 0 < detection_norm < torch.inf):
        return None
    pairs = zip(gradient, detection, strict=True)
    inner = sum(float((a * b).sum(dtype=torch.float64)) for a, b in pairs)
    return Pull(ratio=norm / detection_norm, cosine=inner / (norm * detection_norm))


def _norm(gradient: Sequence[Tensor]) -> float:
    norms = [torch.linalg.vector_norm(part, dtype=torch.float64) for part in gradient]
    return float(torch.stack(norms).square().sum().sqrt())
