"""The losses' side of a distilling detector: from the rows of its heads to logged values."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from mmdet.registry import TASK_UTILS
from torch import Tensor, nn

from mmdet_kdrank.distillers.entries import build_entries
from mmdet_kdrank.distillers.features import FeatureDistillation, Levels
from mmdet_kdrank.distillers.finite_guard import Checked, FiniteGuard, Side
from mmdet_kdrank.distributed import global_avg_factor
from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.heads.class_output import ClassOutput
from mmdet_kdrank.ops.agreement import agreement
from mmdet_kdrank.ops.checks import blamed_on
from mmdet_kdrank.ops.suggestions import did_you_mean
from mmdet_kdrank.scopes import build
from mmdet_kdrank.structures.samples import ClassAlignment, DistillSamples, align_samples


@dataclass(frozen=True)
class DistilledHead:
    """One distilled head in one training step.

    Args:
        samples: Its rows; each side has its own columns.
        output: Declaration of the student's class output.
        tensors: The student's tensors with that output, (N, values) or (B, A * values, H, W).
        prefix: Prefix of the head's names in the log: ``'s0.'`` for the first stage of a cascade,
            empty for the only head.
        scale: Factor on its losses.
    """

    samples: DistillSamples
    output: ClassOutput
    tensors: list[Tensor]
    prefix: str = ''
    scale: float = 1.0


class DistillTerms:
    """Computes the distillation losses that are added to a student's own.

    The arguments are those of :class:`~mmdet_kdrank.distillers.base.DistillMixin`.

    Raises:
        ValueError: If a name of a loss or an option is not acceptable.
    """

    def __init__(
        self,
        distill_losses: dict[str, dict] | None,
        distill_features: dict[str, dict] | None,
        selector: dict,
        channels: str,
        on_nonfinite: str,
    ) -> None:
        if channels not in ('all', 'foreground'):
            hint = did_you_mean(channels, ('all', 'foreground'))
            raise ArgumentError(f"channels must be 'all' or 'foreground', got {channels!r}.{hint}")
        self.channels = channels
        if distill_losses is None and distill_features:
            distill_losses = {}
        self.entries = build_entries(distill_losses)
        self.losses = nn.ModuleDict({name: entry.loss for name, entry in self.entries.items()})
        self.features = FeatureDistillation(distill_features) if distill_features else None
        if twice := self.entries.keys() & set(self.features or ()):
            raise ArgumentError(
                f'{", ".join(sorted(twice))} is both in distill_losses and in distill_features. '
                'Rename one of them, because the log has one value by name.'
            )
        self.factors = dict.fromkeys([*self.entries, *(self.features or ())], 1.0)
        """Factor of a schedule on each entry, in addition to its configured weight."""
        self.balance = None
        if any(entry.share is not None for entry in self.entries.values()):
            # Imported here: few configs have weights that are shares.
            from mmdet_kdrank.distillers.balance import BalancedWeights

            self.balance = BalancedWeights(self.entries)
        with blamed_on('selector', 'Correct the type or the argument.'):
            self.selector: Callable[[DistillSamples], DistillSamples] = build(TASK_UTILS, selector)
        self.guard = FiniteGuard(on_nonfinite)

    @property
    def compares_logits(self) -> bool:
        """Whether class logits are compared: not with ``distill_features`` alone."""
        return bool(self.entries) or not self.features

    @property
    def requires_boxes(self) -> bool:
        """Whether a loss needs the boxes of the samples and the ground truth."""
        return any(getattr(loss, 'requires_boxes', False) for loss in self.losses.values())

    def watch_features(self, student: nn.Module) -> AbstractContextManager[list[Levels]]:
        """Return a context that records the levels of the student's neck, if a loss needs them.

        Raises:
            RuntimeError: If adapters are trained and no hook saves them.
        """
        return nullcontext([]) if self.features is None else self.features.watch(student)

    def check_columns(self, classes: ClassAlignment, output: ClassOutput) -> None:
        """Raise ValueError if the heads leave one column of logits, and a loss needs two."""
        columns = len(classes.student) + (output.background and self.channels == 'all')
        if columns > 1:
            return
        needing = [
            f'{name} ({type(entry.loss).__name__})'
            for name, entry in self.entries.items()
            if entry.min_columns > columns
        ]
        if output.activation == 'softmax':
            needing = ['a softmax']
        if needing:
            raise ArgumentError(
                f'channels={self.channels!r} leaves one column of logits to distil, and '
                f'{", ".join(needing)} needs two: one logit has no order and no distribution. Give '
                'student and teacher more common classes, keep the background channel of a softmax '
                'head, or distil a sigmoid head with losses that one column is enough for: '
                'BinaryKDLoss, LogitMSELoss, QualityFocalKDLoss, CandidateRankLoss and those of '
                'distill_features.'
            )

    def __call__(
        self,
        heads: Sequence[DistilledHead],
        classes: ClassAlignment,
        levels: tuple[list[Levels], Levels],
        models: dict[Side, nn.Module],
        every: bool,
    ) -> dict[str, Tensor]:
        """Compute the losses of one step.

        Args:
            heads: The distilled heads.
            classes: Which columns of the two sides belong together.
            levels: Results of all calls of the student's ``extract_feat``, and the levels of the
                teacher's neck.
            models: Student and teacher. Their weights are checked if a value is not finite.
            every: Whether entries with a factor of 0 are computed too.

        Returns:
            Losses, ``distill_tau`` and ``distill_top1`` by their names in the log.

        Raises:
            ValueError: If a loss needs values that the rows do not have.
            FloatingPointError: If logits or a loss are not finite, on any rank.
        """
        idle = set() if every else {name for name, factor in self.factors.items() if not factor}
        values = {}
        for head in heads:
            values.update(self._distill_head(head, classes, models, idle))
        return {**values, **self._distill_features(*levels, models, idle)}

    def _distill_head(
        self,
        head: DistilledHead,
        classes: ClassAlignment,
        models: dict[Side, nn.Module],
        idle: Set[str],
    ) -> dict[str, Tensor]:
        samples = align_samples(head.samples, classes)
        chosen = self.selector(samples)
        # Also called without rows, because the other ranks wait for it.
        avg_factor = global_avg_factor(chosen.avg_factor, samples.student.device)
        if self.channels == 'foreground':
            chosen = chosen.without_background()
        values = self.head_losses(head, samples, chosen, avg_factor, idle)
        names = ', '.join(values)
        checked = [
            Checked('student', f"the student's logits behind {names}", samples.student),
            Checked('teacher', f"the teacher's logits behind {names}", samples.teacher),
            *_checked_values(values),
        ]
        if not self.guard.passes(checked, models):
            return dict.fromkeys(values, (samples.student * 0).sum())
        agreed = agreement(chosen.student, chosen.teacher)
        return {**values, **{head.prefix + name: value for name, value in agreed.items()}}

    def head_losses(
        self,
        head: DistilledHead,
        samples: DistillSamples,
        chosen: DistillSamples,
        avg_factor: float | Tensor,
        idle: Set[str] = frozenset(),
    ) -> dict[str, Tensor]:
        """Compute ``distill_losses`` on one head.

        Args:
            head: The head.
            samples: Its rows, aligned.
            chosen: The rows that the selector chose.
            avg_factor: The normaliser of all ranks.
            idle: Names of entries that are 0 without being computed.

        Returns:
            Values by their names in the log, with all factors.
        """
        computed = {
            name: entry(samples, chosen, avg_factor)
            for name, entry in self.entries.items()
            if name not in idle
        }
        weights = dict.fromkeys(computed, 1.0)
        if self.balance is not None:
            weights |= self.balance(head.prefix, computed, samples, chosen, avg_factor)
        values = {}
        for name in self.entries:
            if name in idle:
                # DDP waits for the weights of the head. Without rows, only this leads to them.
                rows = chosen.student
                value = rows.new_zeros(()) if len(rows) else rows.sum()
            else:
                value = head.scale * self.factors[name] * weights[name] * computed[name]
            values[head.prefix + name] = value
        return values

    def _distill_features(
        self,
        student: list[Levels],
        teacher: Levels,
        models: dict[Side, nn.Module],
        idle: Set[str],
    ) -> dict[str, Tensor]:
        if self.features is None:
            return {}
        values = self.features(student, teacher, self.factors, idle)

        def causes() -> list[Checked]:
            return self.features.checked(student, teacher)

        if self.guard.passes(_checked_values(values), models, causes):
            return values
        return self.features(student, teacher, self.factors, idle=values)

    def add_to(
        self, losses: dict[str, Any], values: dict[str, Tensor], student: nn.Module
    ) -> dict[str, Any]:
        """Join the student's own losses and ``values``; raise ValueError if a name is taken."""
        if taken := losses.keys() & values.keys():
            argument = 'distill_features' if taken & set(self.features or ()) else 'distill_losses'
            raise ArgumentError(
                f"{argument} has {', '.join(sorted(taken))}, a name that the student's own losses "
                'use. Give the entry another name that contains "loss".'
            )
        active = [name for name in values if self.factors.get(name.rpartition('.')[2])]
        return self.guard.settle({**losses, **values}, student, active)


def _checked_values(values: dict[str, Tensor]) -> list[Checked]:
    return [Checked('loss', f'the value of {name}', value) for name, value in values.items()]
