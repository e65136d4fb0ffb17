"""Distilling two-stage detectors: class logits per RoI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.distillers.base import DistillMixin
from mmdet_kdrank.distillers.distill_terms import DistilledHead
from mmdet_kdrank.distillers.session import HeadPair
from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from mmdet_kdrank.heads.capture import watch_method
from mmdet_kdrank.heads.class_output import ClassOutput, class_output
from mmdet_kdrank.ops.suggestions import class_name
from mmdet_kdrank.scopes import register
from mmdet_kdrank.structures.samples import DistillSamples


@dataclass(frozen=True)
class RoIRecord:
    """RoIs of one stage of the student's RoI head, with their class outputs.

    Args:
        output: Class output, (N, values), with its graph.
        rois: Index of the image, then the box in pixels of the input: x1, y1, x2, y2, (N, 5), or
            of rotated boxes x, y, w, h and the angle, (N, 6).
        labels: Assigned labels, (N,).
        weights: Label weights, (N,).
    """

    output: Tensor
    rois: Tensor
    labels: Tensor
    weights: Tensor


@register(MODELS)
class DistillTwoStageDetector(DistillMixin, TwoStageDetector):
    """A Faster R-CNN-like student that learns from a teacher on its own sampled RoIs.

    The teacher pools the student's RoIs from its own features with its own extractor and head,
    which may differ in depth, channels and type. Cascade students are distilled at every stage, by
    the same stage of the teacher and with the stage's loss weight. For the arguments see
    :class:`~mmdet_kdrank.distillers.base.DistillMixin`.

    Example:
        >>> from mmengine.hub import get_config
        >>> config = get_config('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py').model
        >>> teacher = 'mmdet::faster_rcnn/faster-rcnn_r101_fpn_1x_coco.py'
        >>> config.update(
        ...     type='DistillTwoStageDetector',
        ...     teacher=dict(config=teacher, checkpoint='auto'),
        ...     distill_losses=dict(loss_rank=dict(type='KendallRankLoss')),
        ... )
        >>> detector = MODELS.build(config)
        >>> sorted({name.split('.')[0] for name in detector.state_dict()})  # no teacher
        ['backbone', 'neck', 'roi_head', 'rpn_head']
    """

    family = TwoStageDetector
    teachers = (TwoStageDetector,)
    # As in mdistiller's detection code; docs/how_to/choosing.md says what is known of the choice.
    default_selector = dict(type='AllSamples')

    @contextmanager
    def capture_student(self) -> Iterator[list[list[RoIRecord]]]:
        """Record the RoIs that the box head of each stage classifies, one list a stage."""
        heads = _bbox_heads(self)
        records: list[list[RoIRecord]] = [[] for _ in heads]
        with ExitStack() as stack:
            for head, stage in zip(heads, records, strict=True):

                def observe(arguments: dict, _: dict, stage: list = stage) -> None:
                    # Without a reduction a sampler ranks RoIs by their loss (OHEM, PISA).
                    if arguments.get('reduction_override') != 'none':
                        names = ('cls_score', 'rois', 'labels', 'label_weights')
                        stage.append(RoIRecord(*(arguments[name] for name in names)))

                stack.enter_context(watch_method(head, 'loss', observe))
            yield records

    def compare(
        self, captured: list[list[RoIRecord]], teacher_features: tuple[Tensor, ...]
    ) -> list[DistilledHead]:
        """Classify the student's RoIs with the teacher's head, stage by stage."""
        records = self._one_record_a_stage(captured)
        # Trident students number the images of each branch as if they were more images.
        images = [record.rois[:, :1] % len(teacher_features[0]) for record in records]
        boxes = [record.rois[:, 1:] for record in records]
        rois = [torch.cat(pair, 1) for pair in zip(images, boxes, strict=True)]
        with torch.no_grad():
            teacher = self._classify(teacher_features, rois)
        cascade = isinstance(self.roi_head, CascadeRoIHead)
        heads = []
        for stage, record in enumerate(records):
            output = self.teacher_session.heads[stage][0]
            samples = DistillSamples(
                student=output.logits(record.output),
                teacher=teacher[stage],
                image=images[stage].squeeze(1).long(),
                activation=output.activation,
                background=output.background,
                num_classes=output.num_classes,
                labels=record.labels,
                weights=record.weights,
                avg_factor=float(len(record.rois)),
                boxes=boxes[stage] if self.distill_terms.requires_boxes else None,
            )
            prefix, scale = '', 1.0
            if cascade:
                prefix, scale = f's{stage}.', self.roi_head.stage_loss_weights[stage]
            heads.append(DistilledHead(samples, output, [record.output], prefix, scale))
        return heads

    def probe(
        self, captured: list[list[RoIRecord]], teacher_features: tuple[Tensor, ...]
    ) -> list[Tensor]:
        """Classify up to two of the student's RoIs of the first image, stage by stage."""
        # Other RoIs than a head's own may have another form: a rotated box has five values.
        records = self._one_record_a_stage(captured)
        rois = [record.rois[record.rois[:, 0] == 0][:2] for record in records]
        if not all(map(len, rois)):
            return []
        return self._classify(tuple(level[:1] for level in teacher_features), rois)

    def classify_again(
        self, features: tuple[Tensor, ...], calls: list[tuple[dict, Any]]
    ) -> list[tuple[Tensor, Tensor]]:
        """Classify the same RoIs, stage by stage; a cascade may have stopped without RoIs."""
        outputs = [output for _, output in self.teacher_session.heads]
        rois = [arguments['rois'] for arguments, _ in calls]
        ours = self._classify(features, [*rois, *[rois[0][:0]] * (len(outputs) - len(rois))])
        pairs = zip(outputs, ours, calls, strict=False)
        return [(logits, output.logits(call[1]['cls_score'])) for output, logits, call in pairs]

    def _classify(self, features: tuple[Tensor, ...], rois: list[Tensor]) -> list[Tensor]:
        """Classify the RoIs of each stage with the teacher, (N, channels) a stage."""
        roi_head = self.teacher_session.model.roi_head
        context = _context(roi_head, features)
        logits = []
        for stage, (_, output) in enumerate(self.teacher_session.heads):
            if len(rois[stage]):
                stages = (stage,) if isinstance(roi_head, CascadeRoIHead) else ()
                results = roi_head._bbox_forward(*stages, features, rois[stage], **context)
                logits.append(output.logits(results['cls_score']))
            else:
                # Not every box head of MMDetection takes an empty batch.
                logits.append(features[0].new_zeros(0, output.channels))
        return logits

    def pair_heads(self, teacher: nn.Module) -> list[HeadPair]:
        """Pair the box heads of both RoI heads, stage by stage."""
        for side, detector in (('student', self), ('teacher', teacher)):
            roi_head = detector.roi_head
            if not isinstance(roi_head, (StandardRoIHead, CascadeRoIHead)):
                raise ArgumentTypeError(
                    f"The {side}'s {class_name(type(roi_head))} is neither a StandardRoIHead nor a "
                    'CascadeRoIHead, so its class logits per RoI are not known.'
                )
        student_heads, teacher_heads = _bbox_heads(self), _bbox_heads(teacher)
        if len(student_heads) != len(teacher_heads):
            raise ArgumentError(
                f"The student's RoI head has {len(student_heads)} stages, the teacher's "
                f'{len(teacher_heads)}. Choose a teacher with the same number.'
            )
        pairs = zip(student_heads, teacher_heads, strict=True)
        return [(class_output(student), class_output(teacher)) for student, teacher in pairs]

    def _one_record_a_stage(self, captured: list[list[RoIRecord]]) -> list[RoIRecord]:
        """Return the one record of each stage; raise NotImplementedError if there is not one."""
        records: list[RoIRecord] = []
        for stage, calls in enumerate(captured):
            if not calls and records and not len(records[-1].rois):
                # A cascade stops when it has no RoI left to refine.
                output = self.teacher_session.heads[stage][0]
                calls = [_no_roi(self.roi_head, stage, output, records[-1])]
            if len(calls) != 1:
                raise UnsupportedError(
                    f'{class_name(type(self.roi_head))} computed the class loss of stage {stage} '
                    f'{len(calls)} times, not once, so its logits cannot be told apart. This RoI '
                    'head is not supported.'
                )
            records += calls
        return records


def _context(roi_head: nn.Module, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Return the other inputs of a RoI head: a semantic map (HTC), a global context (SCNet)."""
    context = {}
    if getattr(roi_head, 'with_semantic', False):
        context['semantic_feat'] = roi_head.semantic_head(features)[1]
    if getattr(roi_head, 'with_glbctx', False):
        context['glbctx_feat'] = roi_head.glbctx_head(features)[1]
    return context


def _no_roi(roi_head: nn.Module, stage: int, output: ClassOutput, before: RoIRecord) -> RoIRecord:
    """Return the record of a stage without RoIs, whose output depends on the stage's weights."""
    masks = getattr(roi_head, 'mask_head', None)
    heads = [roi_head.bbox_head[stage], *([] if masks is None else [masks[stage]])]
    # DistributedDataParallel waits for a gradient of each parameter, even if it is 0.
    zero = sum(parameter.sum() for head in heads for parameter in head.parameters())
    return replace(before, output=zero.expand(0, output.values))


def _bbox_heads(detector: TwoStageDetector) -> list[nn.Module]:
    heads = detector.roi_head.bbox_head
    return list(heads) if isinstance(heads, nn.ModuleList) else [heads]
