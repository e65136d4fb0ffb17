"""Shares of groups of rows in a distillation loss."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet_kdrank.distillers.entries import LossEntry
from mmdet_kdrank.structures.samples import DistillSamples


def row_groups(chosen: DistillSamples) -> dict[str, Tensor]:
    """Return masks of the groups of rows that a loss is split into, (N,), bool.

    Args:
        chosen: N rows.

    Returns:
        ``foreground`` and ``background`` by the student's own assignment, if its head gives it, and
        ``level0``, ``level1``, … of a dense head. Ignored rows, and rows of a class that the
        teacher does not know, are in neither of the first two.
    """
    groups = {}
    if chosen.labels is not None:
        groups['foreground'] = chosen.positive()
        groups['background'] = chosen.labels == chosen.num_classes
    if chosen.level is not None:
        levels = int(chosen.level.max()) + 1 if len(chosen) else 0
        groups.update({f'level{index}': chosen.level == index for index in range(levels)})
    return groups


@torch.no_grad()
def loss_shares(
    entry: LossEntry,
    chosen: DistillSamples,
    avg_factor: float | Tensor,
    groups: dict[str, Tensor],
) -> dict[str, Tensor]:
    """Return the value that each group of rows adds to a loss.

    The loss is computed again for each group, with weight 0 for the other rows and the normaliser
    of all rows. So the values of a partition add up to the value of all rows. A loss that takes no
    weights gets the rows of the group alone.

    Args:
        entry: An entry of ``distill_losses`` whose rows stand alone.
        chosen: The N rows that the selector chose.
        avg_factor: The normaliser.
        groups: Masks by name, (N,), bool.
    """
    return {
        group: entry(chosen, entry.only(chosen, mask), avg_factor) for group, mask in groups.items()
    }
