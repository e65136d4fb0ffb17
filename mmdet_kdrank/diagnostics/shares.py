"""Which rows a distillation loss comes from."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet_kdrank.distillers.entries import LossEntry
from mmdet_kdrank.structures.samples import DistillSamples


def row_groups(chosen: DistillSamples) -> dict[str, Tensor]:
    """Masks of the groups of rows that a loss is split into.

    Args:
        chosen: N rows.

    Returns:
        ``foreground`` and ``background`` by the student's own assignment, where
        its head tells it, and ``level0``, ``level1``, … of a dense head; each (N,), bool. A row
        that the assignment ignores, or of a class that the teacher does not know, is in neither of
        the first two.
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
    avg_factor: float,
    groups: dict[str, Tensor],
) -> dict[str, Tensor]:
    """Return what groups of rows contribute to the value of a loss.

    The loss is computed again for each group, with the weights of all other rows at 0 and the
    normaliser of all: values of groups that are a partition add up to that of all rows. A loss that
    takes no weights gets the group's rows alone.

    Args:
        entry: An entry of ``distill_losses`` whose rows stand alone.
        chosen: The N rows that the selector chose.
        avg_factor: The normaliser.
        groups: Masks, (N,), bool.

    Returns:
        A value each.
    """
    return {
        group: entry(chosen, entry.only(chosen, mask), avg_factor) for group, mask in groups.items()
    }
