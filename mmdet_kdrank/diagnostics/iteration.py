"""Measuring a distilling detector while it computes the losses of one iteration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mmdet_kdrank.diagnostics.gradients import class_gradient, pull
from mmdet_kdrank.diagnostics.ranking import Mean, ranking
from mmdet_kdrank.diagnostics.shares import loss_shares, row_groups
from mmdet_kdrank.distillers.base import DistillMixin
from mmdet_kdrank.distillers.distill_terms import DistilledHead
from mmdet_kdrank.heads.capture import watch_method
from mmdet_kdrank.random_states import kept_random_states
from mmdet_kdrank.structures.class_alignment import training_classes
from mmdet_kdrank.structures.samples import DistillSamples


@dataclass
class IterationWatch:
    """Measures one iteration from values that it computes anyway.

    The training stays the same: no ``.grad`` changes, and the random states stay as they were.

    Args:
        model: The detector.
        edges: Bounds between the intervals of the teacher's score.
        topk: The k of the agreement at the top.
        scale: Factor on losses before their gradient is taken, such as that of a gradient scaler.
    """

    model: DistillMixin
    edges: Sequence[float]
    topk: Sequence[int]
    scale: float = 1.0
    values: dict[str, float] = field(default_factory=dict)
    _heads: list[tuple[dict, dict[str, Tensor]]] = field(default_factory=list)

    @contextmanager
    def watch(self) -> Iterator[dict[str, float]]:
        """Measure one call of the model's ``loss``; the values are yielded by name."""
        with ExitStack() as stack:
            for owner, name, observer in (
                (self.model.distill_terms, 'head_losses', lambda *call: self._heads.append(call)),
                (self.model, 'loss', lambda _, losses: self._measure(losses)),
            ):
                stack.enter_context(watch_method(owner, name, observer))
            yield self.values

    def _measure(self, losses: dict[str, Any]) -> None:
        detection = self._detection(losses)
        with kept_random_states():
            for arguments, values in self._heads:
                head, chosen = arguments['head'], arguments['chosen']
                if len(chosen):
                    self._measure_shares(head, chosen, arguments['avg_factor'], values)
                    self._measure_ranking(head.prefix, chosen)
                self._measure_gradients(head, values, detection)
        # The heads hold the graph of the iteration.
        self._heads = []

    def _measure_shares(
        self,
        head: DistilledHead,
        chosen: DistillSamples,
        avg_factor: float | Tensor,
        values: dict[str, Tensor],
    ) -> None:
        groups, balance = row_groups(chosen), self.model.distill_terms.balance
        weights = {} if balance is None else balance.last
        for name, entry in self.model.distill_terms.entries.items():
            full_name = head.prefix + name
            self.values[full_name] = float(values[full_name].detach())
            if entry.compares_rows_alone:
                factor = head.scale * self.model.distill_factors[name] * weights.get(full_name, 1.0)
                for group, value in loss_shares(entry, chosen, avg_factor, groups).items():
                    self.values[f'{full_name}.{group}'] = float(factor * value)

    def _measure_ranking(self, prefix: str, chosen: DistillSamples) -> None:
        if chosen.student.shape[1] < 2:
            return
        measured = ranking(
            chosen.student,
            chosen.teacher,
            chosen.teacher_score(),
            chosen.labels,
            chosen.num_classes,
            edges=self.edges,
            topk=self.topk,
        )
        self._put(f'{prefix}tau', measured.tau)
        for name, mean in zip(self._class_names(), measured.by_class, strict=False):
            self._put(f'{prefix}tau.class.{name}', mean)
        bounds = [0.0, *self.edges, 1.0]
        for low, high, mean in zip(bounds, bounds[1:], measured.by_score, strict=False):
            self._put(f'{prefix}tau.score.{low:g}-{high:g}', mean)
        for k, value in measured.topk.items():
            self.values[f'{prefix}top{k}'] = value

    def _measure_gradients(
        self, head: DistilledHead, values: dict[str, Tensor], detection: Tensor
    ) -> None:
        reference = class_gradient(detection, head.output, head.tensors, self.scale)
        for name, value in values.items():
            gradient = class_gradient(value, head.output, head.tensors, self.scale)
            compared = pull(gradient, reference)
            if compared is not None:
                short = name[len(head.prefix) :]
                self.values[f'{head.prefix}gradient.{short}.ratio'] = compared.ratio
                self.values[f'{head.prefix}gradient.{short}.cosine'] = compared.cosine

    def _detection(self, losses: dict[str, Any]) -> Tensor:
        """Sum of the student's own losses."""
        distilled = {name for _, values in self._heads for name in values}
        distilled |= set(self.model.distill_features or ())
        own = [value for name, value in losses.items() if 'loss' in name and name not in distilled]
        return sum(sum(value) if isinstance(value, (list, tuple)) else value for value in own)

    def _class_names(self) -> list[str]:
        columns = self.model.teacher_session.classes.student
        names = training_classes()
        return [str(column) if names is None else names[column] for column in columns]

    def _put(self, name: str, mean: Mean) -> None:
        if mean.rows:
            self.values[name] = mean.value
            self.values[f'{name}.rows'] = mean.rows
