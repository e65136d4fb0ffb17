"""Weights that keep the gradient of one loss at a share of another's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from mmengine.dist import all_reduce
from mmengine.logging import MessageHub, print_log
from torch import Tensor

from mmdet_kdrank.distillers.entries import LossEntry
from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops.checks import blamed_on, check_positive
from mmdet_kdrank.structures.samples import DistillSamples

KEY = 'distill_balance'
"""Key of the measured sizes in MMEngine's message hub, which checkpoints keep."""


@dataclass(frozen=True)
class Share:
    """The value of ``loss_weight`` of an entry whose weight is found while training.

    Args:
        share: Size of the entry's gradient at the class logits, relative to the other entry's.
        of: Name of the other entry of ``distill_losses``.
        momentum: What the mean of earlier steps keeps at each step, in [0, 1). Until
            ``1 / (1 - momentum)`` steps it is the plain mean of all.
        bounds: Least and largest weight.

    Raises:
        ValueError: If a value is out of its range.
    """

    share: float
    of: str
    momentum: float = 0.99
    bounds: tuple[float, float] = (0.01, 100.0)

    def __post_init__(self) -> None:
        check_positive('share', self.share)
        if not (isinstance(self.momentum, (int, float)) and 0 <= self.momentum < 1):
            raise ArgumentError(f'momentum={self.momentum!r} must be at least 0 and less than 1.')
        low, high = self.bounds
        check_positive('bounds', low)
        check_positive('bounds', high)
        if low > high:
            raise ArgumentError(f'bounds={self.bounds!r} must be rising: give (least, largest).')


class BalancedWeights:
    """Weights of entries whose ``loss_weight`` is a share of another entry's gradient.

    A weight is ``share * rms(g_of) / rms(g)``. The g are gradients of the two losses at the class
    logits that they compare, of the batch of all ranks, with the losses' own weights and without
    the factors of schedules. Root mean squares are over steps. So the backbone has no part in it,
    and a schedule multiplies what is balanced.

    Each head of a cascade has weights of its own. A step in which a gradient is 0 or not finite
    changes nothing; before the first measurement a weight is 1. The log shows
    ``distill_weight.NAME`` and ``distill_share.NAME``, the share in this step.

    The means are in MMEngine's message hub, so a resumed run continues with the same weights. The
    student's weights know nothing of them.

    Args:
        entries: All entries; those to balance have a ``share``.

    Raises:
        TypeError: If an option of a share is unknown or missing.
        ValueError: If it is out of its range, or names no entry with a weight of its own.

    Example:
        >>> from mmdet_kdrank.distillers.entries import build_entries
        >>> entries = build_entries(dict(
        ...     loss_kd=dict(type='KDLoss'),
        ...     loss_rank=dict(type='KendallRankLoss', loss_weight=dict(share=0.3, of='loss_kd'))))
        >>> BalancedWeights(entries).shares['loss_rank'].share
        0.3
    """

    def __init__(self, entries: Mapping[str, LossEntry]) -> None:
        own = [name for name, entry in entries.items() if entry.share is None]
        self.shares: dict[str, Share] = {}
        for name in (name for name in entries if name not in own):
            with blamed_on(f'distill_losses.{name}.loss_weight', 'Correct the argument.'):
                share = self.shares[name] = Share(**entries[name].share)
                if share.of not in own:
                    raise ArgumentError(
                        f'of={share.of!r} is no entry of distill_losses with a number as its '
                        f'weight. Choose one of {", ".join(own) or "none"}.'
                    )
        self.entries = entries
        self.last: dict[str, float] = {}
        """The weights of the last step, by the entries' names in the log."""
        self._means: dict[str, list[float]] | None = None

    def __call__(
        self,
        prefix: str,
        values: Mapping[str, Tensor],
        head: DistillSamples,
        chosen: DistillSamples,
        scale: float | Tensor,
    ) -> dict[str, float]:
        """Measure one step of a head. All ranks call it.

        Args:
            prefix: The head's prefix in the log.
            values: What the entries gave, without schedules and without these weights.
            head: All rows of the head.
            chosen: The rows that the selector chose.
            scale: Factor on the values while their gradients are taken, against underflow in half
                precision: the normaliser.

        Returns:
            Weights by name, for the entries among ``values``.
        """
        hub = MessageHub.get_current_instance()
        if self._means is None:
            self._means = _resumed_means(hub)
        names = [n for n, share in self.shares.items() if {n, share.of} <= values.keys()]
        if names:
            scaled = {name: value * scale for name, value in values.items()}
            squares = [self._squares(scaled, name, head, chosen) for name in names]
            summed = torch.stack(squares) / scale**2
            all_reduce(summed)
            for name, (own, other) in zip(names, summed.tolist(), strict=True):
                self._update(prefix + name, self.shares[name], own, other)
                weight = self.last[prefix + name]
                hub.update_scalar(f'train/distill_weight.{prefix}{name}', weight)
                if own > 0:
                    measured = weight * math.sqrt(own / other) if other > 0 else math.inf
                    hub.update_scalar(f'train/distill_share.{prefix}{name}', measured)
        hub.update_info(KEY, self._means)
        return {
            name: self.last.get(prefix + name, 1.0) for name in self.shares.keys() & values.keys()
        }

    def _squares(
        self,
        values: Mapping[str, Tensor],
        name: str,
        head: DistillSamples,
        chosen: DistillSamples,
    ) -> Tensor:
        """Return the squared norms of an entry's gradient and of its reference's, (2,)."""
        pair = (name, self.shares[name].of)
        alone = all(self.entries[entry].compares_rows_alone for entry in pair)
        logits = (chosen if alone else head).student
        return torch.stack([_square(values[entry], logits) for entry in pair])

    def _update(self, key: str, share: Share, own: float, other: float) -> None:
        count, mean_own, mean_other = self._means.get(key, (0, 0.0, 0.0))
        if 0 < own < math.inf and 0 < other < math.inf:
            count += 1
            kept = min(1 - 1 / count, share.momentum)
            mean_own = kept * mean_own + (1 - kept) * own
            mean_other = kept * mean_other + (1 - kept) * other
            self._means[key] = [count, mean_own, mean_other]
        weight = share.share * math.sqrt(mean_other / mean_own) if count else 1.0
        self.last[key] = min(max(weight, share.bounds[0]), share.bounds[1])


def _resumed_means(hub: MessageHub) -> dict[str, list[float]]:
    """Return the means of a run that was resumed, else none."""
    # A new run may find the hub of an earlier one in its process. It has done no iteration yet.
    if not hub.get_info('iter', 0):
        return {}
    means = hub.get_info(KEY)
    if means is None:
        print_log(
            'The weights that are shares of a gradient start anew: the checkpoint has no '
            'measurements of them.',
            logger='current',
        )
    return dict(means or {})


def _square(value: Tensor, logits: Tensor) -> Tensor:
    """Return the squared norm of the gradient of a loss at logits, float32, and keep the graph."""
    gradient = None
    if value.requires_grad and logits.requires_grad:
        (gradient,) = torch.autograd.grad(value, logits, retain_graph=True, allow_unused=True)
    if gradient is None:
        return logits.new_zeros((), dtype=torch.float32)
    return gradient.float().square().sum()
