"""What the distilling detectors of all families share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmdet.registry import TASK_UTILS
from mmdet.structures import DetDataSample
from mmengine.logging import MessageHub, print_log
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, StateError, blamed_on

from .agreement import agreement
from .class_output import ClassOutput
from .classes import align_classes
from .dead_branches import cut_dead_branches
from .finite import assert_finite
from .loss_entries import build_losses
from .preprocessing import TeacherInput
from .refusals import reason_against
from .samples import DistillSamples
from .student_class import check_arguments, student_class
from .teacher import Teacher, TeacherSource


class DistillMixin:
    """A detector that learns from a teacher beside its own losses.

    Put before a detector class. The student's forward is the detector's own, run once; its class
    logits are captured on the way and compared with the teacher's on the same RoIs or anchors.

    Args:
        teacher (dict): ``config``, ``checkpoint`` and optionally ``channels_last`` and
            ``verify`` (see :class:`TeacherSource`). Nothing is read before training starts.
        distill_losses (dict[str, dict]): Configs of registered losses, called as
            ``loss(pred, soft_label, weight=…, avg_factor=…)``. A key is the loss's name in the
            log and must contain ``loss``.
        student_type (str, optional): The student's own detector class. Defaults to MMDetection's
            base class of the family.
        selector (dict, optional): Which RoIs or anchors count, a selector of ``TASK_UTILS``.
        channels (str): ``'all'``, or ``'foreground'`` to leave the background channel out.
        **kwargs: The student's own arguments.

    Raises:
        TypeError: If the student's class does not take an argument.
        ValueError: If a name of a loss or an option is not acceptable.
    """

    family: type[nn.Module]
    teachers: tuple[type[nn.Module], ...]
    default_selector: dict

    def __new__(cls, *args: Any, student_type: str | None = None, **kwargs: Any) -> DistillMixin:
        """Make the object of the class that keeps what the student's own class overrides."""
        return object.__new__(student_class(cls, student_type))

    def __init__(
        self,
        *args: Any,
        teacher: dict | None = None,
        distill_losses: dict[str, dict] | None = None,
        student_type: str | None = None,
        selector: dict | None = None,
        channels: str = 'all',
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
        self.distill_losses = build_losses(distill_losses)
        with blamed_on('selector', 'Correct the type or the argument.'):
            self.selector: Callable[[DistillSamples], DistillSamples] = TASK_UTILS.build(
                selector or self.default_selector
            )
        self.channels = channels

    def init_weights(self) -> None:
        """Initialise the student, then load the teacher onto its device."""
        super().init_weights()
        if self._teacher is None:
            teacher = self._teacher_source.load()
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
        """The student's own losses and the distillation losses.

        Args:
            batch_inputs (Tensor): Normalised images, (B, 3, H, W).
            batch_data_samples (list[DetDataSample]): Their annotations.

        Returns:
            dict[str, Tensor]: Losses, ``distill_tau`` and ``distill_top1``; those of a head among
            several carry its prefix (``s0.``).

        Raises:
            RuntimeError: If :meth:`init_weights` has not run.
            FloatingPointError: If logits or a distillation loss are not finite.
        """
        if self._teacher is None:
            raise StateError(
                "The teacher is not loaded: call init_weights() before training (MMEngine's "
                'Runner does).'
            )
        first = self._teacher_input is None
        if first:
            self._match_teacher()
        with self.capture_student() as captured:
            losses = super().loss(batch_inputs, batch_data_samples)
        with torch.no_grad():
            inputs = self._teacher_input(batch_inputs, batch_data_samples)
            features = self._teacher.features(inputs)
        if first:
            self._trim_teacher(features)
        for prefix, scale, samples in self.compare(captured, features):
            distilled = self._distill(prefix, scale, samples)
            taken = losses.keys() & distilled.keys()
            if taken:
                raise ArgumentError(
                    f"distill_losses has {', '.join(sorted(taken))}, a name that the student's "
                    'own losses use. Give the entry another name that contains "loss".'
                )
            losses.update(distilled)
        return losses

    def capture_student(self) -> Any:
        """Context in which the student's class logits are recorded, as :meth:`compare` takes."""
        raise NotImplementedError

    def compare(
        self, captured: Any, teacher_features: tuple[Tensor, ...]
    ) -> Iterable[tuple[str, float, DistillSamples]]:
        """For each distilled head: prefix of its names, factor of its losses, its samples."""
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

    def _match_teacher(self) -> None:
        """Check that student and teacher correspond, now that the training set is known."""
        teacher = self._teacher
        if reason := reason_against(type(teacher.model)):
            raise ArgumentError(f'A {type(teacher.model).__name__} cannot be a teacher: {reason}.')
        if not isinstance(teacher.model, self.teachers):
            raise ArgumentError(
                f'The teacher is a {type(teacher.model).__name__}, {type(self).__name__} needs a '
                f'{" or ".join(kind.__name__ for kind in self.teachers)}. Choose a teacher of the '
                "student's family."
            )
        outputs = self.check_heads(teacher.model)
        for ours, theirs in outputs:
            if (ours.activation, ours.background) != (theirs.activation, theirs.background):
                raise ArgumentError(
                    f"The student's class output is {ours}, the teacher's {theirs}: their logits "
                    'mean different things. Choose a teacher whose head has the same activation '
                    'and the same background channel.'
                )
        self._outputs = outputs
        ours, theirs = outputs[0]
        self._classes = align_classes(
            _training_classes(), teacher.classes, ours.num_classes, theirs.num_classes
        )
        if len(self._classes.student) + (ours.background and self.channels == 'all') < 2:
            raise ArgumentError(
                f'channels={self.channels!r} leaves one column of logits to distil, and a '
                'distribution or a ranking needs two. Give student and teacher more common '
                'classes, or keep the background channel of a softmax head.'
            )
        self._teacher_input = TeacherInput(self.data_preprocessor, teacher.model.data_preprocessor)
        print_log(
            f'Distilling {len(self._classes.student)} classes from {type(teacher.model).__name__} '
            f'({teacher.checkpoint}) with {", ".join(self.distill_losses)}.',
            logger='current',
        )

    def _trim_teacher(self, features: tuple[Tensor, ...]) -> None:
        """Cut what the class logits do not need, tried on a corner of the first images."""
        corner = tuple(level[:, :, :8, :8].contiguous() for level in features)
        cut = cut_dead_branches(self._teacher.model, lambda: self.teacher_logits(corner))
        print_log(f'The teacher runs without {", ".join(cut) or "nothing"}.', logger='current')

    def _distill(self, prefix: str, scale: float, samples: DistillSamples) -> dict[str, Tensor]:
        background = samples.background and self.channels == 'all'
        chosen = self.selector(samples)
        pred, soft_label = self._classes.select(chosen.student, chosen.teacher, background)
        values = {}
        for name, loss in self.distill_losses.items():
            weight, labels = chosen.weights, {}
            if getattr(loss, 'requires_labels', False):
                known, columns = self._label_columns(name, chosen, pred.shape[1])
                weight, labels = weight * known, {'labels': columns}
            values[name] = scale * loss(
                pred, soft_label, weight=weight, avg_factor=chosen.avg_factor, **labels
            )
        behind = ', '.join(prefix + name for name in values)
        assert_finite(
            {
                f"the student's logits behind {behind}": samples.student,
                f"the teacher's logits behind {behind}": samples.teacher,
                **{f'the value of {prefix}{name}': value for name, value in values.items()},
            }
        )
        values.update(agreement(pred, soft_label))
        return {prefix + name: value for name, value in values.items()}

    def _label_columns(
        self, name: str, chosen: DistillSamples, columns: int
    ) -> tuple[Tensor, Tensor]:
        """Which rows have a label among the distilled columns, and that column, both (N,)."""
        if chosen.labels is None:
            raise ArgumentError(
                f'distill_losses.{name}: {type(self.distill_losses[name]).__name__} needs hard '
                "labels, and the student's head does not pass one label a prior to loss_cls. "
                'Choose a loss that needs none.'
            )
        column = self._classes.column_of(chosen.labels)
        known = (column >= 0) & (column < columns)
        return known, column.where(known, 0)


def _training_classes() -> tuple[str, ...] | None:
    meta = MessageHub.get_current_instance().get_info('dataset_meta') or {}
    classes = meta.get('classes')
    return tuple(classes) if classes else None
