"""Distilling query-based detectors: class logits per matched pair of queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from mmdet.models.detectors.base import BaseDetector
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.distillers.base import DistillMixin
from mmdet_kdrank.distillers.distill_terms import DistilledHead
from mmdet_kdrank.distillers.finite_guard import Checked
from mmdet_kdrank.distillers.query_pairs import (
    MATCH_COSTS,
    ImageQueries,
    QueryMatcher,
    pairs_of_objects,
)
from mmdet_kdrank.distillers.session import HeadPair
from mmdet_kdrank.distillers.single_stage import DistillSingleStageDetector
from mmdet_kdrank.distillers.student_arguments import KEEP_CLASS
from mmdet_kdrank.distillers.two_stage import DistillTwoStageDetector
from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.heads.class_output import class_output
from mmdet_kdrank.heads.queries import (
    QUERY_DETECTORS,
    AssignedQueries,
    Queries,
    QueryRecord,
    assigners,
    has_stages,
    last_logits,
    query_heads,
    run_queries,
    watch_queries,
)
from mmdet_kdrank.ops.checks import blamed_on, check_choice, check_count
from mmdet_kdrank.scopes import register
from mmdet_kdrank.structures.samples import DistillSamples


@register(MODELS)
class DistillQueryDetector(DistillMixin, BaseDetector):
    """A DETR-like student that learns from a teacher query by query.

    Student and teacher run once each, with their own queries. In each image the teacher's best
    queries are matched one to one with the student's. Numbers of queries, layers and channels may
    differ. Layers are paired from the last one backwards. Denoising queries are left out. Sparse
    R-CNN and QueryInst are distilled stage by stage.

    Args:
        matching: ``'hungarian'`` to match scores and boxes of the queries, or ``'ground_truth'`` to
            pair the queries that both sides assign to the same object.
        layers: ``'last'`` decoder layer or stage, or ``'all'``.
        teacher_queries: Number of the teacher's queries that are matched in an image, those with
            the highest scores. For ``'hungarian'``.
        match_costs: Configs of match costs, from ``TASK_UTILS``; for ``'hungarian'``. Defaults to
            scores, L1 distance and GIoU, with Deformable DETR's weights.
        **options: See :class:`~mmdet_kdrank.distillers.base.DistillMixin`. ``student_type`` is
            required.

    Raises:
        ValueError: If the student has no queries, or an option is not acceptable.

    Example:
        >>> from mmengine.hub import get_config
        >>> config = get_config('mmdet::detr/detr_r18_8xb2-500e_coco.py').model
        >>> teacher = 'mmdet::detr/detr_r50_8xb2-150e_coco.py'
        >>> config.update(
        ...     type='DistillQueryDetector',
        ...     student_type='DETR',
        ...     teacher=dict(config=teacher, checkpoint='auto'),
        ...     distill_losses=dict(loss_rank=dict(type='KendallRankLoss')),
        ... )
        >>> detector = MODELS.build(config)
        >>> sorted({name.split('.')[0] for name in detector.state_dict()})[:3]  # no teacher
        ['backbone', 'bbox_head', 'decoder']
    """

    family = BaseDetector
    teachers = QUERY_DETECTORS
    # Most of the matched queries show no object, and the teacher's score tells which ones do.
    default_selector = dict(type='ScoreWeightedSamples')

    def __new__(
        cls, *args: Any, student_type: str | type | None = None, **kwargs: Any
    ) -> DistillQueryDetector:
        """Create an object over the student's own class, which this distiller always needs."""
        if cls is DistillQueryDetector and student_type is None:
            raise ArgumentError(
                'DistillQueryDetector has no class of its own for a student, because each kind of '
                f'DETR is one. {KEEP_CLASS}'
            )
        return super().__new__(cls, *args, student_type=student_type, **kwargs)

    def __init__(
        self,
        *args: Any,
        matching: str = 'hungarian',
        layers: str = 'last',
        teacher_queries: int = 100,
        match_costs: Sequence[dict] = MATCH_COSTS,
        **options: Any,
    ) -> None:
        if not isinstance(self, self.teachers):
            fitting = [
                f'Use type={other.__name__!r}.'
                for other in (DistillSingleStageDetector, DistillTwoStageDetector)
                if isinstance(self, other.family)
            ]
            raise ArgumentError(
                f'student_type={options.get("student_type")!r} is no '
                f'{" or ".join(kind.__name__ for kind in self.teachers)}, so its queries are not '
                'known. '
                f'{"".join(fitting) or "No distiller of this package follows it."}'
            )
        check_choice('matching', matching, ('hungarian', 'ground_truth'))
        check_choice('layers', layers, ('last', 'all'))
        check_count('teacher_queries', teacher_queries)
        super().__init__(*args, **options)
        self.matching, self.layers = matching, layers
        self._first_queries: list[Queries] = []
        with blamed_on('match_costs', 'Correct the type or the argument.'):
            self.query_matcher = QueryMatcher(teacher_queries, match_costs)

    def pair_heads(self, teacher: nn.Module) -> list[HeadPair]:
        """Pair the class outputs of both sides, which all their layers or stages share."""
        pairs = []
        for side, detector in (('student', self), ('teacher', teacher)):
            outputs = {class_output(head) for head in query_heads(detector)}
            if len(outputs) > 1:
                raise ArgumentError(
                    f"The {side}'s stages have different class outputs: "
                    f'{", ".join(map(str, outputs))}. Give all stages the same.'
                )
            pairs.append(outputs.pop())
        return [tuple(pairs)]

    @contextmanager
    def capture_student(self) -> Iterator[QueryRecord]:
        """Record the queries and the student's own assignment."""
        with ExitStack() as stack:
            for head in query_heads(self):
                handle = head.register_forward_hook(self._check_outputs)
                stack.callback(handle.remove)
            yield stack.enter_context(watch_queries(self))

    def _check_outputs(self, _: nn.Module, __: tuple, outputs: tuple) -> tuple | None:
        """Check a head's outputs before the student's own matching, which refuses NaN."""
        terms = self.distill_terms
        names = ("the student's logits", "the student's boxes")
        behind = ', '.join(terms.losses)
        checked = [
            Checked('student', f'{name} behind {behind}', output)
            for name, output in zip(names, outputs, strict=False)
        ]
        models = dict(student=self, teacher=self.teacher_session.model)
        if terms.guard.passes(checked, models):
            return None
        # The guard leaves out this iteration, whatever it computes from these values.
        return tuple(torch.nan_to_num(output, 0.0, 0.0, 0.0) for output in outputs)

    def probe(self, captured: QueryRecord, teacher_features: tuple[Tensor, ...]) -> list[Tensor]:
        """Return nothing: boxes are needed too, so no branch of the teacher is cut."""
        self._first_queries = []
        return []

    def classify_again(
        self, features: tuple[Tensor, ...], calls: list[tuple[dict, Any]]
    ) -> list[tuple[Tensor, Tensor]]:
        """Pair the last logits of the first batch's queries, image by image."""
        return list(
            zip(
                self._first_queries[-1].logits,
                last_logits(self.teacher_session.model, calls[-1][1]),
                strict=True,
            )
        )

    def compare(
        self, captured: QueryRecord, teacher_features: tuple[Tensor, ...]
    ) -> list[DistilledHead]:
        """Match the queries of both sides, layer by layer."""
        layers = captured.layers()
        samples = captured.data_samples
        with torch.no_grad():
            theirs = run_queries(self.teacher_session.model, teacher_features, samples)
        if not self.teacher_session.started:
            self._first_queries = theirs
        number = 1 if self.layers == 'last' else min(len(layers), len(theirs))
        heads = []
        for index in range(len(layers) - number, len(layers)):
            prefix, scale = '', 1.0
            if has_stages(self):
                prefix, scale = f's{index}.', self.roi_head.stage_loss_weights[index]
            elif index < len(layers) - 1:
                prefix = f'd{index}.'
            ours = layers[index]
            rows = self._rows(ours, theirs[index - len(layers)], index, captured)
            output = self.teacher_session.heads[0][0]
            heads.append(DistilledHead(rows, output, [ours.output], prefix, scale))
        return heads

    @torch.no_grad()
    def _pairs(
        self, ours: AssignedQueries, theirs: Queries, image: int, layer: int, meta: dict
    ) -> tuple[Tensor, Tensor]:
        """Return the indices of the matched queries of an image, (P,)."""
        classes = self.teacher_session.classes
        output, teacher_output = self.teacher_session.heads[0]
        logits = classes.select(
            output.logits(ours.logits[image]),
            teacher_output.logits(theirs.logits[image]),
            output.background,
        )
        boxes = ours.boxes[image], theirs.boxes[image]
        student, teacher = (
            ImageQueries(*values, output.activation, output.background)
            for values in zip(logits, boxes, strict=True)
        )
        if self.matching == 'hungarian':
            return self.query_matcher(student, teacher, meta)
        annotated = ours.annotated[image][:]
        annotated.labels = classes.column_of(annotated.labels)
        assigner = assigners(self)[layer if has_stages(self) else 0]
        return pairs_of_objects(assigner, ours.objects[image], annotated, teacher, meta)

    def _rows(
        self, ours: AssignedQueries, theirs: Queries, layer: int, captured: QueryRecord
    ) -> DistillSamples:
        """Bring the matched queries of a layer into rows."""
        output, teacher_output = self.teacher_session.heads[0]
        rows, teacher, images, first = [], [], [], 0
        for image, sample in enumerate(captured.data_samples):
            student_row, teacher_row = self._pairs(ours, theirs, image, layer, sample.metainfo)
            rows.append(first + student_row)
            # A box that is not finite makes its logits so, for the guard to name.
            broken = 0 * theirs.boxes[image].sum(1, keepdim=True)
            teacher.append((theirs.logits[image] + broken)[teacher_row])
            images.append(torch.full_like(student_row, image))
            first += len(ours.logits[image])
        index = torch.cat(rows)
        requires_boxes = self.distill_terms.requires_boxes
        return DistillSamples(
            student=output.logits(ours.output[index]),
            teacher=teacher_output.logits(torch.cat(teacher)),
            image=torch.cat(images),
            activation=output.activation,
            background=output.background,
            num_classes=output.num_classes,
            labels=None if ours.labels is None else ours.labels[index],
            weights=ours.weights[index],
            avg_factor=ours.avg_factor,
            boxes=torch.cat(ours.boxes)[index] if requires_boxes else None,
        )
