"""The boxes of a dense head's anchors or points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def prior_boxes(head: nn.Module, maps: Sequence[Tensor]) -> Tensor:
    """Boxes of all priors of a batch, in the order in which their class logits are laid out.

    A point stands for its cell: the square of its level's stride with the point at its centre.

    Args:
        head: A dense head with MMDetection's ``prior_generator``.
        maps: Its class maps, one a level, (B, channels, H, W).

    Returns:
        X1, y1, x2, y2 in pixels of the input, (N, 4): level by level, there image by image.
    """
    generator = head.prior_generator
    sizes = [tuple(level.shape[-2:]) for level in maps]
    levels = generator.grid_priors(sizes, device=maps[0].device)
    boxes = []
    for level, priors, stride in zip(maps, levels, generator.strides, strict=True):
        if priors.shape[1] == 2:
            half = priors.new_tensor(stride) / 2
            priors = torch.cat([priors - half, priors + half], 1)
        boxes.append(priors.repeat(len(level), 1))
    return torch.cat(boxes)
