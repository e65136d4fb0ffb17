"""Distilling dense detectors: class logits per anchor or point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from torch import Tensor, nn

from .base import DistillMixin
from .capture import watch_forward
from .class_output import ClassOutput, class_output
from .prior_boxes import prior_boxes
from .samples import DistillSamples


@dataclass
class DenseRecord:
    """What the student's head returned, and the targets of its class loss.

    Args:
        outputs (list): What ``forward`` returned, one entry a call.
        targets (list): One (pred, labels, weights, avg_factor) a call of ``loss_cls``.
    """

    outputs: list = field(default_factory=list)
    targets: list[tuple[Tensor, Any, Tensor | None, Any]] = field(default_factory=list)


@MODELS.register_module()
class DistillSingleStageDetector(DistillMixin, SingleStageDetector):
    """A RetinaNet-like student that learns from a teacher anchor by anchor.

    The student's head runs once. Student and teacher must have the same levels and priors. See
    :class:`~mmdet_kdrank.distillers.base.DistillMixin` for the arguments.
    """

    family = SingleStageDetector
    default_selector = dict(type='TopkSamples')
    # Whether loss_cls gets the rows in the order in which they are laid out here; found out on
    # the first batch.
    _same_rows: bool | None = None

    @contextmanager
    def capture_student(self) -> Iterator[DenseRecord]:
        """Record what the head returns and what it passes to its own class loss."""
        record = DenseRecord()

        def observe_loss(arguments: dict, _: Tensor) -> None:
            pred, target = list(arguments.values())[:2]
            labels = target[0] if isinstance(target, (tuple, list)) else target
            record.targets.append(
                (pred.detach(), labels, arguments.get('weight'), arguments.get('avg_factor'))
            )

        with (
            watch_forward(self.bbox_head, lambda _, out: record.outputs.append(out)),
            watch_forward(self.bbox_head.loss_cls, observe_loss),
        ):
            yield record

    def compare(
        self, captured: DenseRecord, teacher_features: tuple[Tensor, ...]
    ) -> Iterator[tuple[str, float, DistillSamples]]:
        """Lay both heads' class maps out anchor by anchor."""
        if len(captured.outputs) != 1:
            raise NotImplementedError(
                f'{type(self.bbox_head).__name__} ran {len(captured.outputs)} times in one '
                'training step, not once. This head is not supported.'
            )
        ours, theirs = self._outputs[0]
        with torch.no_grad():
            teacher, theirs_per_level = _lay_out(theirs, self.teacher_logits(teacher_features))
        student, per_level = _lay_out(ours, captured.outputs[0][0])
        if per_level != theirs_per_level:
            raise ValueError(
                f"The student's head has {[n for _, n in per_level]} priors a level on this batch, "
                f"the teacher's {[n for _, n in theirs_per_level]}. Both need the same levels, "
                'strides and input size.'
            )
        image = torch.cat(
            [
                torch.arange(batch, device=student.device).repeat_interleave(priors)
                for batch, priors in per_level
            ]
        )
        samples = DistillSamples(
            student=student,
            teacher=teacher,
            image=image,
            activation=ours.activation,
            background=ours.background,
            num_classes=ours.num_classes,
            boxes=(
                prior_boxes(self.bbox_head, captured.outputs[0][0]) if self.requires_boxes else None
            ),
        )
        yield '', 1.0, self._with_targets(samples, captured)

    def teacher_logits(self, features: tuple[Tensor, ...]) -> list[Tensor]:
        """The teacher's class maps, one a level, (B, A * channels, H, W)."""
        return list(self._teacher.model.bbox_head(features)[0])

    def check_heads(self, teacher: nn.Module) -> list[tuple[ClassOutput, ClassOutput]]:
        """Pair the two dense heads, which must have the same priors."""
        ours, theirs = class_output(self.bbox_head), class_output(teacher.bbox_head)
        _assert_same_priors(self.bbox_head, teacher.bbox_head)
        return [(ours, theirs)]

    def _with_targets(self, samples: DistillSamples, record: DenseRecord) -> DistillSamples:
        """Add labels, weights and normaliser where loss_cls got one label for each row."""
        labels = [labels for _, labels, _, _ in record.targets]
        if sum(len(pred) for pred, *_ in record.targets) != len(samples) or not all(
            isinstance(label, Tensor) and label.dim() == 1 and not label.is_floating_point()
            for label in labels
        ):
            return samples
        if self._same_rows is None:
            preds = torch.cat([pred.flatten(1) for pred, *_ in record.targets])
            self._same_rows = torch.equal(preds, samples.student.detach())
        if not self._same_rows:
            return samples
        return replace(
            samples,
            labels=torch.cat(labels),
            weights=torch.cat(
                [
                    pred.new_ones(len(pred)) if weight is None else weight
                    for pred, _, weight, _ in record.targets
                ]
            ),
            avg_factor=record.targets[0][3],
        )


def _lay_out(output: ClassOutput, maps: list[Tensor]) -> tuple[Tensor, list[tuple[int, int]]]:
    """Rows of all levels, (N, channels), and the images and priors an image of each level.

    A function of its own so that the levels are freed: with every anchor they weigh as much again.
    """
    levels = [output.rows(level) for level in maps]
    shapes = [(len(level), level.shape[1]) for level in levels]
    return torch.cat([level.flatten(0, 1) for level in levels]), shapes


def _assert_same_priors(student: nn.Module, teacher: nn.Module) -> None:
    generators = [getattr(head, 'prior_generator', None) for head in (student, teacher)]
    if None in generators:
        raise TypeError(
            f'{type(student).__name__} or {type(teacher).__name__} has no prior_generator, so it '
            'cannot be told whether the rows of student and teacher correspond.'
        )
    levels = [generator.num_levels for generator in generators]
    if levels[0] != levels[1]:
        raise ValueError(
            f"The student's head has {levels[0]} levels, the teacher's {levels[1]}. Give both "
            'the same neck outputs and strides.'
        )
    # A small grid shows strides, offsets and the priors of a place alike.
    ours, theirs = (
        generator.grid_priors([(2, 3)] * count, device='cpu')
        for generator, count in zip(generators, levels, strict=True)
    )
    for level, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a.shape != b.shape or not torch.allclose(a, b):
            raise ValueError(
                f'Student and teacher place different priors on level {level}: '
                f"{generators[0]} against {generators[1]}. Give the student the teacher's "
                'prior generator (strides, scales, ratios).'
            )
