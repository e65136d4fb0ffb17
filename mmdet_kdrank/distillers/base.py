"""What the distilling detectors of all families share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from mmdet.registry import TASK_UTILS
from mmdet.structures import DetDataSample
from mmengine.logging import print_log
from torch import Tensor, nn

from mmdet_kdrank.distillers.features import FeatureDistillation
from mmdet_kdrank.distillers.finite_guard import FiniteGuard
from mmdet_kdrank.distillers.loss_call import call_entry
from mmdet_kdrank.distillers.loss_entries import add_entries, build_losses, weighted_entries
from mmdet_kdrank.distillers.student_class import check_arguments, student_class
from mmdet_kdrank.distributed import global_avg_factor, on_all_ranks
from mmdet_kdrank.errors import ArgumentError, StateError, blamed_on
from mmdet_kdrank.heads.class_output import ClassOutput
from mmdet_kdrank.ops.agreement import agreement
from mmdet_kdrank.structures.aligned_samples import align_samples
from mmdet_kdrank.structures.class_alignment import ClassAlignment, align_classes, training_classes
from mmdet_kdrank.structures.ground_truth import GroundTruth
from mmdet_kdrank.structures.samples import DistillSamples
from mmdet_kdrank.teachers.compatibility import check_outputs, check_teacher
from mmdet_kdrank.teachers.dead_branches import cut_dead_branches
from mmdet_kdrank.teachers.preprocessing import TeacherInput
from mmdet_kdrank.teachers.shared_loading import load_on_all_ranks
from mmdet_kdrank.teachers.teacher import Teacher, TeacherSource


class DistillMixin:
    """A detector that learns from a teacher beside its own losses.

    Put before a detector class. The student's forward is the detector's own, run once; its class
    logits are captured on the way and compared with the teacher's on the same RoIs or anchors.

    Args:
        teacher: ``config``, ``checkpoint`` and optionally ``channels_last`` and ``verify``
            (see :class:`TeacherSource`). Nothing is read before training starts.
        distill_losses: Configs of registered losses, called as
            ``loss(pred, soft_label, weight=…, avg_factor=…)`` on the rows that the selector chose
            (one that takes no weights: see :func:`call_loss`); those with ``requires_samples =
            True`` as ``loss(samples)`` on all rows (:func:`align_samples`), with boxes and ground
            truth if ``requires_boxes = True``. A key is the loss's name in the log and must contain
            ``loss``.
        distill_features: Configs of registered losses on the necks'
            levels, called as ``loss(student_levels, teacher_levels)``; keys as above.
        student_type: The student's own detector class. Defaults to MMDetection's
            base class of the family.
        selector: Which RoIs or anchors count, a selector of ``TASK_UTILS``.
        channels: ``'all'``, or ``'foreground'`` to leave the background channel out.
        on_nonfinite: ``'raise'``, or ``'skip'`` to leave out what is not finite and log the
            count, ``distill_nonfinite`` (see
            :class:`~mmdet_kdrank.distillers.finite_guard.FiniteGuard`).
        **kwargs: The student's own arguments.

    Raises:
        TypeError: If the student's class does not take an argument.
        ValueError: If a name of a loss or an option is not acceptable.
    """

    family: type[nn.Module]
    teachers: tuple[type[nn.Module], ...]
    default_selector: dict
    # Entries that are not computed in this iteration.
    _idle: Set[str] = frozenset()

    def __new__(cls, *args: Any, student_type: str | None = None, **kwargs: Any) -> DistillMixin:
        """Make the object of the class that keeps what the student's own class overrides."""
        return object.__new__(student_class(cls, student_type))

    def __init__(
        self,
        *args: Any,
        teacher: dict | None = None,
        distill_losses: dict[str, dict] | None = None,
        distill_features: dict[str, dict] | None = None,
        student_type: str | None = None,
        selector: dict | None = None,
        channels: str = 'all',
        on_nonfinite: str = 'raise',
        **kwargs: Any,
    ) -> None:
        source = TeacherSource.from_config(teacher)
        if channels not in ('all', 'foreground'):
            raise ArgumentError(f"channels must be 'all' or 'foreground', got {channels!r}.")
        order = type(self).__mro__
        check_arguments(order[order.index(DistillMixin) + 1], kwargs)
        super().__init__(*args, **kwargs)
        self._teacher_source = source
        self._teacher: Teacher | None = None
        self._teacher_input: TeacherInput | None = None
        self._classes: ClassAlignment | None = None
        self.distill_losses = build_losses(distill_losses, 'distill_losses')
        self._weighted = weighted_entries(self.distill_losses)
        self.distill_features = FeatureDistillation(distill_features or {})
        twice = self.distill_losses.keys() & self.distill_features.keys()
        if twice:
            raise ArgumentError(
                f'{", ".join(sorted(twice))} stands both in distill_losses and in '
                'distill_features. Rename one: a name is one line of the log.'
            )
        # What a schedule multiplies each entry by; the configured weight comes on top.
        self.distill_factors = dict.fromkeys([*self.distill_losses, *self.distill_features], 1.0)
        with blamed_on('selector', 'Correct the type or the argument.'):
            self.selector: Callable[[DistillSamples], DistillSamples] = TASK_UTILS.build(
                selector or self.default_selector
            )
        self.channels = channels
        self._guard = FiniteGuard(on_nonfinite)

    def init_weights(self) -> None:
        """Initialise the student, then load the teacher onto its device."""
        super().init_weights()
        if self._teacher is None:
            teacher = load_on_all_ranks(self._teacher_source)
            on_all_ranks(lambda: self._check_teacher(teacher))
            teacher.model.to(next(self.parameters()).device)
            if self._teacher_source.verify is not None:
                self._teacher_source.verify(teacher)
            self._teacher = teacher

    def _apply(self, fn: Callable, *args: Any, **kwargs: Any) -> nn.Module:
        if self._teacher is not None:
            self._teacher.model._apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)

    def __getstate__(self) -> dict:
        # Copies of the model (EMA, pickling) are students alone.
        return {**self.__dict__, '_teacher': None, '_teacher_input': None}

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> dict:
        """Return the student's own losses and the distillation losses.

        Args:
            batch_inputs: Normalised images, (B, 3, H, W).
            batch_data_samples: Their annotations.

        Returns:
            Losses, ``distill_tau`` and ``distill_top1``; those of a head among
            several carry its prefix (``s0.``).

        Raises:
            RuntimeError: If :meth:`init_weights` has not run, or nobody saves the adapters.
            ValueError: If student, teacher and losses do not fit together.
            FloatingPointError: If logits or a distillation loss are not finite, on any rank.
            OtherRankError: If another rank has found that they do not fit together.
        """
        if self._teacher is None:
            raise StateError(
                "The teacher is not loaded: call init_weights() before training (MMEngine's "
                'Runner does).'
            )
        first = self._classes is None
        if first:
            self.distill_features.require_saved()
            on_all_ranks(self._match_classes)
        # On the first batch all are, so that what does not fit shows then.
        self._idle = set() if first else {n for n, f in self.distill_factors.items() if not f}
        with self.capture_student() as captured, self.distill_features.watch(self) as levels:
            losses = super().loss(batch_inputs, batch_data_samples)
        with torch.no_grad():
            inputs = self._teacher_input(batch_inputs, batch_data_samples)
            features = self._teacher.features(inputs)
        if first:
            self._trim_teacher(features)
        for prefix, scale, samples in self.compare(captured, features):
            if self.requires_boxes:
                objects = GroundTruth.from_data_samples(batch_data_samples)
                samples = replace(samples, ground_truth=objects)
            add_entries(losses, self._distill(prefix, scale, samples), 'distill_losses')
        add_entries(losses, self._distill_features(levels, features), 'distill_features')
        return self._guard.settle(losses, self)

    @property
    def requires_boxes(self) -> bool:
        """Whether a loss asks for the boxes of the samples and for the ground truth."""
        return any(getattr(loss, 'requires_boxes', False) for loss in self.distill_losses.values())

    def capture_student(self) -> Any:
        """Context in which the student's class logits are recorded, as :meth:`compare` takes."""
        raise NotImplementedError

    def compare(
        self, captured: Any, teacher_features: tuple[Tensor, ...]
    ) -> Iterable[tuple[str, float, DistillSamples]]:
        """For each distilled head: prefix of its names, factor of its losses, its samples."""
        raise NotImplementedError

    def class_outputs(self, captured: Any) -> list[tuple[ClassOutput, list[Tensor]]]:
        """For each distilled head: its class output, and the student's tensors that hold it."""
        raise NotImplementedError

    def teacher_logits(self, features: tuple[Tensor, ...]) -> list[Tensor]:
        """Class logits of all of the teacher's heads, on levels (B, C, h, w) of any size."""
        raise NotImplementedError

    def check_heads(self, teacher: nn.Module) -> list[tuple[ClassOutput, ClassOutput]]:
        """Class outputs of each distilled head, the student's and the teacher's.

        Raises:
            TypeError: If a head is not supported.
            ValueError: If the teacher's heads do not correspond to the student's.
        """
        raise NotImplementedError

    def _check_teacher(self, teacher: Teacher) -> None:
        """Check that the heads of student and teacher correspond."""
        check_teacher(teacher, self.teachers)
        self._outputs = self.check_heads(teacher.model)
        check_outputs(self._outputs)
        self._teacher_input = TeacherInput(self.data_preprocessor, teacher.model.data_preprocessor)

    def _match_classes(self) -> None:
        """Match the classes by name, now that the training set is known."""
        teacher = self._teacher
        ours, theirs = self._outputs[0]
        self._classes = align_classes(
            training_classes(), teacher.classes, ours.num_classes, theirs.num_classes
        )
        columns = len(self._classes.student) + (ours.background and self.channels == 'all')
        along_candidates = ours.activation == 'sigmoid' and all(
            getattr(loss, 'requires_samples', False) for loss in self.distill_losses.values()
        )
        if columns < 2 and not along_candidates:
            raise ArgumentError(
                f'channels={self.channels!r} leaves one column of logits to distil, and a '
                'distribution or a ranking needs two. Give student and teacher more common '
                'classes, keep the background channel of a softmax head, or distil a sigmoid head '
                'with losses along the candidates alone, such as CandidateRankLoss.'
            )
        print_log(
            f'Distilling {len(self._classes.student)} classes from {type(teacher.model).__name__} '
            f'({teacher.checkpoint}) with {", ".join(self.distill_factors)}.',
            logger='current',
        )

    def _trim_teacher(self, features: tuple[Tensor, ...]) -> None:
        """Cut what the class logits do not need, tried on a corner of the first images."""
        corner = tuple(level[:, :, :8, :8].contiguous() for level in features)
        cut = cut_dead_branches(self._teacher.model, lambda: self.teacher_logits(corner))
        print_log(f'The teacher runs without {", ".join(cut) or "nothing"}.', logger='current')

    def _distill(self, prefix: str, scale: float, samples: DistillSamples) -> dict[str, Tensor]:
        samples = align_samples(samples, self._classes)
        chosen = self.selector(samples)
        # Called without rows too: the other ranks wait for it.
        avg_factor = global_avg_factor(chosen.avg_factor, samples.student.device)
        if self.channels == 'foreground':
            chosen = chosen.without_background()
        values = self.head_losses(prefix, scale, samples, chosen, avg_factor)
        behind = ', '.join(values)
        looked_at = {
            f"the student's logits behind {behind}": samples.student,
            f"the teacher's logits behind {behind}": samples.teacher,
            **{f'the value of {name}': value for name, value in values.items()},
        }
        if not self._guard.passes(looked_at, self._models):
            return dict.fromkeys(values, (samples.student * 0).sum())
        agreed = agreement(chosen.student, chosen.teacher)
        return {**values, **{prefix + name: value for name, value in agreed.items()}}

    def head_losses(
        self,
        prefix: str,
        scale: float,
        samples: DistillSamples,
        chosen: DistillSamples,
        avg_factor: float,
    ) -> dict[str, Tensor]:
        """Values of ``distill_losses`` on one head, by their names in the log, factors included."""
        values = {}
        for name, loss in self.distill_losses.items():
            if name in self._idle:
                # Without rows this may be all that leads to weights which DDP waits for.
                rows = chosen.student
                value = rows.new_zeros(()) if len(rows) else rows.sum()
            else:
                weighted = name in self._weighted
                value = call_entry(name, loss, samples, chosen, avg_factor, weighted)
                value = scale * self.distill_factors[name] * value
            values[prefix + name] = value
        return values

    def _distill_features(self, levels: list, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        distil = partial(self.distill_features, levels, features, self.distill_factors)
        values = distil(self._idle)
        looked_at = {f'the value of {name}': value for name, value in values.items()}
        causes = partial(self.distill_features.tensors, levels, features)
        finite = not values or self._guard.passes(looked_at, self._models, causes)
        return values if finite else distil(values)

    @property
    def _models(self) -> dict[str, nn.Module]:
        return dict(student=self, teacher=self._teacher.model)
