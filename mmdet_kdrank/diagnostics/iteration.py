"""Looking on while a distilling detector computes the losses of one iteration."""

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
from mmdet_kdrank.heads.capture import watch_method
from mmdet_kdrank.heads.class_output import ClassOutput
from mmdet_kdrank.random_states import kept_random_states
from mmdet_kdrank.structures.class_alignment import training_classes


@dataclass
class IterationWatch:
    """Measures one iteration, in the middle of it, from what is computed anyway.

    Nothing of the training depends on it: no ``.grad`` is touched, and the random states are as
    before afterwards.

    Args:
        model: The detector.
        edges: Bounds between the intervals of the teacher's score.
        topk: The k of the agreement at the top.
        scale: Factor on losses whose gradient is taken, as of a gradient scaler.
    """

    model: DistillMixin
    edges: Sequence[float]
    topk: Sequence[int]
    scale: float = 1.0
    values: dict[str, float] = field(default_factory=dict)
    _captured: Any = None
    _heads: list[tuple[dict, dict[str, Tensor]]] = field(default_factory=list)

    @contextmanager
    def watch(self) -> Iterator[dict[str, float]]:
        """Context of one call of the model's ``loss``; yields what is measured, by name."""
        observers = dict(
            compare=lambda arguments, _: setattr(self, '_captured', arguments['captured']),
            head_losses=lambda *call: self._heads.append(call),
            loss=lambda _, losses: self._measure(losses),
        )
        with ExitStack() as stack:
            for name, observer in observers.items():
                stack.enter_context(watch_method(self.model, name, observer))
            yield self.values

    def _measure(self, losses: dict[str, Any]) -> None:
        outputs = self.model.class_outputs(self._captured)
        detection = self._detection(losses)
        with kept_random_states():
            for (head, entries), output in zip(self._heads, outputs, strict=True):
                if len(head['chosen']):
                    self._measure_shares(head, entries)
                    self._measure_ranking(head)
                self._measure_gradients(head['prefix'], entries, detection, *output)
        # They hold the graph of the iteration.
        self._captured, self._heads = None, []

    def _measure_shares(self, head: dict, entries: dict[str, Tensor]) -> None:
        chosen, prefix = head['chosen'], head['prefix']
        groups = row_groups(chosen)
        for name, loss in self.model.distill_losses.items():
            self.values[prefix + name] = float(entries[prefix + name].detach())
            if getattr(loss, 'requires_samples', False):
                continue  # it compares rows with each other: its value is of no row
            factor = head['scale'] * self.model.distill_factors[name]
            shares = loss_shares(name, loss, chosen, head['avg_factor'], groups)
            for group, value in shares.items():
                self.values[f'{prefix}{name}.{group}'] = float(factor * value)

    def _measure_ranking(self, head: dict) -> None:
        chosen, prefix = head['chosen'], head['prefix']
        if chosen.student.shape[1] < 2:
            return
        found = ranking(
            chosen.student,
            chosen.teacher,
            chosen.teacher_score(),
            chosen.labels,
            chosen.num_classes,
            edges=self.edges,
            topk=self.topk,
        )
        self._put(f'{prefix}tau', found.tau)
        for name, mean in zip(self._class_names(), found.by_class, strict=False):
            self._put(f'{prefix}tau.class.{name}', mean)
        bounds = [0.0, *self.edges, 1.0]
        for low, high, mean in zip(bounds, bounds[1:], found.by_score, strict=False):
            self._put(f'{prefix}tau.score.{low:g}-{high:g}', mean)
        for k, value in found.topk.items():
            self.values[f'{prefix}top{k}'] = value

    def _measure_gradients(
        self,
        prefix: str,
        entries: dict[str, Tensor],
        detection: Tensor,
        output: ClassOutput,
        tensors: list[Tensor],
    ) -> None:
        theirs = class_gradient(detection, output, tensors, self.scale)
        for name, value in entries.items():
            found = pull(class_gradient(value, output, tensors, self.scale), theirs)
            if found is not None:
                short = name[len(prefix) :]
                self.values[f'{prefix}gradient.{short}.ratio'] = found.ratio
                self.values[f'{prefix}gradient.{short}.cosine'] = found.cosine

    def _detection(self, losses: dict[str, Any]) -> Tensor:
        """Sum of the student's own losses."""
        distilled = {name for _, entries in self._heads for name in entries}
        distilled |= self.model.distill_features.keys()
        own = [value for name, value in losses.items() if 'loss' in name and name not in distilled]
        return sum(sum(value) if isinstance(value, (list, tuple)) else value for value in own)

    def _class_names(self) -> list[str]:
        columns = self.model._classes.student
        names = training_classes()
        return [str(column) if names is None else names[column] for column in columns]

    def _put(self, name: str, mean: Mean) -> None:
        if mean.rows:
            self.values[name] = mean.value
            self.values[f'{name}.rows'] = mean.rows
