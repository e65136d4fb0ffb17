"""Ways to take one pair in G: the one of the package, and those that were not chosen."""

from collections.abc import Callable

import torch
from torch import Tensor

from mmdet_kdrank.losses import KendallRankLoss
from mmdet_kdrank.ops import kendall_tau

Estimate = Callable[[Tensor, Tensor], Tensor]


def groups(count: int) -> Estimate:
    """Classes shuffled and split: ``class_groups`` of the loss."""
    return KendallRankLoss(class_groups=count)


def subset(count: int) -> Estimate:
    """One random subset of the classes a call, of as many pairs."""
    generator = torch.Generator().manual_seed(0)

    def call(student: Tensor, teacher: Tensor) -> Tensor:
        columns = student.shape[1]
        chosen = torch.randperm(columns, generator=generator)[: round(columns * count**-0.5)]
        chosen = chosen.to(student.device)
        return 1 - kendall_tau(student[:, chosen], teacher[:, chosen]).mean()

    return call


def offsets(count: int) -> Estimate:
    """Random cyclic offsets d a call, and the pairs (i, i + d mod C) of each.

    With operations of torch: it would need kernels of its own, and its time tells nothing.
    """
    generator = torch.Generator().manual_seed(0)

    def call(student: Tensor, teacher: Tensor) -> Tensor:
        columns = student.shape[1]
        # For an even C the offset C / 2 has half as many pairs, and is left to the others here.
        half = (columns - 1) // 2
        chosen = 1 + torch.randperm(half, generator=generator)[: max(1, half // count)]
        tau = torch.zeros((), device=student.device)
        for offset in chosen.tolist():
            a, b = ((x - x.roll(-offset, 1)).tanh() for x in (student, teacher))
            tau = tau + (a * b).mean() / len(chosen)
        return 1 - tau

    return call


ESTIMATORS: dict[str, Callable[[int], Estimate]] = {
    'groups': groups,
    'subset': subset,
    'offsets': offsets,
}
