"""Distilling dense detectors: class logits per anchor or point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import GuidedAnchorHead, SOLOHead, SOLOV2Head
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.detectors.single_stage_instance_seg import SingleStageInstanceSegmentor
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.distillers.base import DistillMixin
from mmdet_kdrank.distillers.distill_terms import DistilledHead
from mmdet_kdrank.distillers.session import HeadPair
from mmdet_kdrank.errors import ArgumentError, UnsupportedError
from mmdet_kdrank.heads.capture import watch_forward
from mmdet_kdrank.heads.class_output import ClassOutput, class_output, dense_head
from mmdet_kdrank.heads.class_targets import (
    ClassTargets,
    RowOrder,
    check_normaliser,
    watch_class_targets,
)
from mmdet_kdrank.heads.priors import assert_comparable, assert_same_cells, prior_boxes
from mmdet_kdrank.ops.checks import check_choice
from mmdet_kdrank.ops.suggestions import class_name
from mmdet_kdrank.scopes import register
from mmdet_kdrank.structures.samples import DistillSamples


@dataclass
class DenseRecord:
    """Results of the student's head, and the targets of its class loss.

    Args:
        outputs: Results of ``forward``, one a call.
        targets: Calls of the class loss.
    """

    outputs: list = field(default_factory=list)
    targets: list[ClassTargets] = field(default_factory=list)


class DenseDistillMixin(DistillMixin):
    """A dense detector that learns from a teacher anchor by anchor.

    Args:
        priors: With ``'same'``, student and teacher must have the same levels and priors, which
            are compared one by one. With ``'cell'`` they need the same levels and strides. Cells of
            the maps are compared, by the highest logit of each class among the priors of a cell.
            This is for sigmoid heads with different priors, such as anchors and points.
        **options: See :class:`~mmdet_kdrank.distillers.base.DistillMixin`.
    """

    default_selector = dict(type='TopkSamples')
    teachers = (SingleStageDetector, SingleStageInstanceSegmentor)

    def __init__(self, *args: Any, priors: str = 'same', **options: Any) -> None:
        check_choice('priors', priors, ('same', 'cell'))
        super().__init__(*args, **options)
        self.priors = priors
        self._row_order = RowOrder()

    @contextmanager
    def capture_student(self) -> Iterator[DenseRecord]:
        """Record the results of the head and the targets of its class loss."""
        record = DenseRecord()
        with (
            watch_forward(dense_head(self), lambda _, out: record.outputs.append(out)),
            watch_class_targets(dense_head(self)) as record.targets,
        ):
            yield record

    def compare(
        self, captured: DenseRecord, teacher_features: tuple[Tensor, ...]
    ) -> list[DistilledHead]:
        """Bring the class maps of both heads into rows of anchors."""
        if len(captured.outputs) != 1:
            raise UnsupportedError(
                f'{class_name(type(dense_head(self)))} ran {len(captured.outputs)} times in one '
                'training step, not once. This head is not supported.'
            )
        output = self.teacher_session.heads[0][0]
        with torch.no_grad():
            teacher_maps = self.teacher_logits(teacher_features)
        maps = output.class_maps(captured.outputs[0])
        kinds, number = output.prefixes, len(output.prefixes)
        heads = []
        for kind, prefix in enumerate(kinds):
            # All levels of a kind follow each other; the calls of the class loss alternate.
            ours, theirs = (_part(all_maps, kind, number) for all_maps in (maps, teacher_maps))
            samples = self._samples(ours, theirs)
            mixed = len(ours) > 1 and len(ours[0]) > 1
            samples = self._with_targets(samples, captured.targets[kind::number], mixed)
            heads.append(DistilledHead(samples, output, ours, prefix))
        return heads

    def _samples(self, maps: list[Tensor], teacher_maps: list[Tensor]) -> DistillSamples:
        """Bring the class maps of one kind into rows of anchors, without targets."""
        output, teacher_output = self.teacher_session.heads[0]
        with torch.no_grad():
            teacher, teacher_sizes = _lay_out(teacher_output, teacher_maps, self.priors)
        student, sizes = _lay_out(output, maps, self.priors)
        if sizes != teacher_sizes:
            raise ArgumentError(
                f"The student's head has {[n for _, n in sizes]} priors a level on this batch, "
                f"the teacher's {[n for _, n in teacher_sizes]}. Both need the same levels, "
                'strides and input size.'
            )
        images = [torch.arange(b, device=student.device).repeat_interleave(n) for b, n in sizes]
        levels = [rows.new_full(rows.shape, index) for index, rows in enumerate(images)]
        requires_boxes = self.distill_terms.requires_boxes
        return DistillSamples(
            student=student,
            teacher=teacher,
            image=torch.cat(images),
            activation=output.activation,
            background=output.background,
            num_classes=output.num_classes,
            boxes=prior_boxes(dense_head(self), maps) if requires_boxes else None,
            level=torch.cat(levels),
            num_images=sizes[0][0],
        )

    def teacher_logits(self, features: tuple[Tensor, ...]) -> list[Tensor]:
        """Return the teacher's class maps, one a level, (B, A * channels, H, W)."""
        head = dense_head(self.teacher_session.model)
        if isinstance(head, (GuidedAnchorHead, SOLOHead)):
            # In eval mode guided anchoring only classifies where the first image of the batch may
            # show objects, and SOLO gives the scores of local maxima alone.
            head.training = True
        return self.teacher_session.heads[0][1].class_maps(head(features))

    def probe(self, captured: DenseRecord, teacher_features: tuple[Tensor, ...]) -> list[Tensor]:
        """Return the teacher's class maps of a corner of the images."""
        corner = tuple(level[:, :, :8, :8].contiguous() for level in teacher_features)
        if isinstance(dense_head(self.teacher_session.model), SOLOV2Head):
            # It adds up levels, whose sizes must halve.
            sizes = [2 ** (len(corner) - index) for index in range(len(corner))]
            pairs = zip(corner, sizes, strict=True)
            corner = tuple(F.interpolate(level, size=(size, size)) for level, size in pairs)
        return self.teacher_logits(corner)

    def classify_again(
        self, features: tuple[Tensor, ...], calls: list[tuple[dict, Any]]
    ) -> list[tuple[Tensor, Tensor]]:
        """Run the head on the same features; pair the class maps, level by level."""
        theirs = self.teacher_session.heads[0][1].class_maps(calls[-1][1])
        return list(zip(self.teacher_logits(features), theirs, strict=True))

    def pair_heads(self, teacher: nn.Module) -> list[HeadPair]:
        """Pair the two dense heads, which must have the same priors or cells."""
        heads = dense_head(self), dense_head(teacher)
        outputs = class_output(heads[0]), class_output(heads[1])
        if any(output.cells for output in outputs):
            assert_same_cells(*outputs)
        else:
            assert_comparable(*heads, self.priors)
        if self.priors == 'cell' and 'softmax' in [output.activation for output in outputs]:
            raise ArgumentError(
                "priors='cell' takes the highest logit among the priors of a cell, and those of a "
                "softmax are known only up to a shift of each prior. Use priors='same'."
            )
        return [outputs]

    def _with_targets(
        self, samples: DistillSamples, targets: list[ClassTargets], mixed: bool
    ) -> DistillSamples:
        """Add labels, weights and normaliser, if the class loss got one label a row."""
        output = self.teacher_session.heads[0][0]
        calls = [
            call if call.pred is None else replace(call, pred=output.as_logits(call.pred))
            for call in targets
        ]
        arranged = self._row_order.arrange(calls, samples.student.detach(), samples.image, mixed)
        if arranged is None:
            return samples
        labels, weights, avg_factor = arranged
        check_normaliser(dense_head(self), labels, avg_factor)
        return replace(samples, labels=labels, weights=weights, avg_factor=avg_factor)


@register(MODELS)
class DistillSingleStageDetector(DenseDistillMixin, SingleStageDetector):
    """A RetinaNet-like student; see :class:`DenseDistillMixin`.

    Example:
        >>> from mmengine.hub import get_config
        >>> config = get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py').model
        >>> teacher = 'mmdet::retinanet/retinanet_r101_fpn_1x_coco.py'
        >>> config.update(
        ...     type='DistillSingleStageDetector',
        ...     teacher=dict(config=teacher, checkpoint='auto'),
        ...     distill_losses=dict(loss_rank=dict(type='KendallRankLoss')),
        ... )
        >>> detector = MODELS.build(config)
        >>> sorted({name.split('.')[0] for name in detector.state_dict()})  # no teacher
        ['backbone', 'bbox_head', 'neck']
    """

    family = SingleStageDetector


@register(MODELS)
class DistillSingleStageInstanceSegmentor(DenseDistillMixin, SingleStageInstanceSegmentor):
    """A YOLACT- or CondInst-like student, by the class logits of its box head.

    See :class:`DenseDistillMixin`.

    Example:
        >>> from mmengine.hub import get_config
        >>> config = get_config('mmdet::yolact/yolact_r50_1xb8-55e_coco.py').model
        >>> teacher = 'mmdet::yolact/yolact_r101_1xb8-55e_coco.py'
        >>> config.update(
        ...     type='DistillSingleStageInstanceSegmentor',
        ...     teacher=dict(config=teacher, checkpoint='auto'),
        ...     distill_losses=dict(loss_rank=dict(type='KendallRankLoss')),
        ... )
        >>> detector = MODELS.build(config)
        >>> list(detector.distill_losses)
        ['loss_rank']
    """

    family = SingleStageInstanceSegmentor


def _part(maps: list[Tensor], kind: int, number: int) -> list[Tensor]:
    """Return the maps of one of ``number`` kinds, which follow each other."""
    levels = len(maps) // number
    return maps[kind * levels : (kind + 1) * levels]


def _lay_out(
    output: ClassOutput, maps: list[Tensor], priors: str
) -> tuple[Tensor, list[tuple[int, int]]]:
    """Return the rows of all levels, (N, channels), and of each level (images, rows an image).

    On returning, the rows of the single levels are freed. They take as much memory as the result.
    """
    levels = [output.rows(level) for level in maps]
    if priors == 'cell':
        levels = [
            rows.unflatten(1, (level.shape[-2] * level.shape[-1], -1)).amax(2)
            for rows, level in zip(levels, maps, strict=True)
        ]
    shapes = [(len(level), level.shape[1]) for level in levels]
    return torch.cat([level.flatten(0, 1) for level in levels]), shapes
