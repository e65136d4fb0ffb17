"""The common part of the distilling detectors of all families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any

from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmdet_kdrank.distillers.distill_terms import DistilledHead, DistillTerms
from mmdet_kdrank.distillers.first_batch import FirstBatch
from mmdet_kdrank.distillers.session import HeadPair, TeacherSession
from mmdet_kdrank.distillers.student_arguments import check_arguments, unknown_types_explained
from mmdet_kdrank.errors import ArgumentError, UnknownNameError
from mmdet_kdrank.heads.declarations import reason_against
from mmdet_kdrank.ops.suggestions import did_you_mean
from mmdet_kdrank.scopes import find
from mmdet_kdrank.structures.ground_truth import GroundTruth


class DistillMixin:
    """A detector that learns from a teacher in addition to its own losses.

    It stands before a detector class among the bases. The student's forward stays the detector's
    own and runs once. Its class logits are captured during the forward, and compared with the
    teacher's on the same RoIs or anchors.

    Args:
        teacher: ``config``, ``checkpoint`` and optionally ``channels_last`` and ``verify``
            (see :class:`TeacherSource`). No file is read before training starts.
        distill_losses: Configs of registered losses on class logits, by their names in the log. A
            name must contain ``loss``. :mod:`~mmdet_kdrank.distillers.entries` describes how
            losses are called. Those with ``requires_boxes = True`` also get boxes and ground truth.
        distill_features: Configs of registered losses on the levels of the necks, by name. They
            are called as ``loss(student_levels, teacher_levels)``.
        student_type: The student's own detector class, or its registered name. Defaults to
            MMDetection's base class of the family.
        selector: Config of the selector, from ``TASK_UTILS``, that chooses the RoIs or anchors.
        channels: ``'all'``, or ``'foreground'`` to leave the background channel out.
        on_nonfinite: ``'raise'``, or ``'skip'`` to leave out values that are not finite (see
            :class:`~mmdet_kdrank.distillers.finite_guard.FiniteGuard`).
        path_check: Whether the first batch is compared with what the detectors compute themselves
            (:class:`~mmdet_kdrank.distillers.path_check.PathCheck`).
        inherit: ``'neck'``, ``'head'`` or both: what the student starts with of the teacher, where
            names and shapes agree (see :func:`~mmdet_kdrank.distillers.inherit.inherit_weights`).
        **kwargs: The student's own arguments.

    Raises:
        KeyError: If ``student_type`` is not registered.
        TypeError: If the student's class does not take an argument.
        ValueError: If the student's class cannot be distilled, or an option is not acceptable.
    """

    family: type[nn.Module]
    teachers: tuple[type[nn.Module], ...]
    default_selector: dict

    def __new__(
        cls, *args: Any, student_type: str | type | None = None, **kwargs: Any
    ) -> DistillMixin:
        """Create an object that keeps the overrides of the student's own class."""
        return object.__new__(cls if student_type is None else _over_student(cls, student_type))

    def __init__(
        self,
        *args: Any,
        teacher: dict | None = None,
        distill_losses: dict[str, dict] | None = None,
        distill_features: dict[str, dict] | None = None,
        student_type: str | type | None = None,
        selector: dict | None = None,
        channels: str = 'all',
        on_nonfinite: str = 'raise',
        path_check: bool = True,
        inherit: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        order = type(self).__mro__
        check_arguments(type(self), order[order.index(DistillMixin) + 1], kwargs)
        session = TeacherSession(teacher)
        with unknown_types_explained():
            super().__init__(*args, **kwargs)
        self.teacher_session = session
        self.inherit = (inherit,) if isinstance(inherit, str) else tuple(inherit)
        self.path_check = path_check
        self.distill_terms = DistillTerms(
            distill_losses,
            distill_features,
            selector or self.default_selector,
            channels,
            on_nonfinite,
        )
        # Registered here, so that adapters are trained with the student.
        self.distill_losses = self.distill_terms.losses
        self.distill_features = self.distill_terms.features
        self.distill_factors = self.distill_terms.factors

    def init_weights(self) -> None:
        """Initialise the student, then load the teacher onto its device."""
        super().init_weights()
        if self.teacher_session.teacher is not None:
            return
        if self.distill_terms.compares_logits:
            self.pair_heads(self)  # A head that cannot be distilled is refused without a teacher.
            self.teacher_session.load(self, self.teachers, self.pair_heads)
        else:
            self.teacher_session.load(self, None, self.pair_heads)
        if self.inherit:
            # Imported here: few students start with parts of their teacher.
            from mmdet_kdrank.distillers.inherit import inherit_weights

            teacher = self.teacher_session.teacher
            inherit_weights(self, teacher.model, self.inherit, teacher.classes)

    def _apply(self, fn: Callable, *args: Any, **kwargs: Any) -> nn.Module:
        self.teacher_session.apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)

    def loss(
        self,
        batch_inputs: Tensor,
        batch_data_samples: list[DetDataSample] | dict,
        *args: Any,
        **kwargs: Any,
    ) -> dict:
        """Compute the student's own losses and the distillation losses.

        Args:
            batch_inputs: Normalised images, (B, 3, H, W).
            batch_data_samples: Their annotations, in the form that the student takes.
            *args: More of the student's own arguments.
            **kwargs: The same, by name.

        Returns:
            Losses, ``distill_tau`` and ``distill_top1``. Those of one head among several carry its
            prefix (``s0.``).

        Raises:
            RuntimeError: If :meth:`init_weights` has not run, or no hook saves the adapters.
            ValueError: If student, teacher and losses do not fit together.
            FloatingPointError: If logits or a distillation loss are not finite, on any rank.
            OtherRankError: If they do not fit together on another rank.
        """
        session, terms = self.teacher_session, self.distill_terms
        models = dict(student=self, teacher=session.model)
        first = None if session.started else FirstBatch(self)
        with ExitStack() as stack:
            if first is not None:
                stack.enter_context(first.watch())
            captured = stack.enter_context(self.capture_student()) if session.heads else None
            levels = stack.enter_context(terms.watch_features(self))
            losses = super().loss(batch_inputs, batch_data_samples, *args, **kwargs)
        features = session.features(batch_inputs, batch_data_samples)
        heads = self.compare(captured, features) if session.heads else []
        if first is not None:
            first.finish(batch_inputs, batch_data_samples, features, captured, heads)
        if terms.requires_boxes:
            objects = GroundTruth.from_data_samples(batch_data_samples)
            heads = [replace(h, samples=replace(h.samples, ground_truth=objects)) for h in heads]
        terms.guard.watch(losses)
        # The first step also computes entries with a factor of 0, so that their errors show early.
        values = terms(heads, session.classes, (levels, features), models, every=first is not None)
        return terms.add_to(losses, values, self)

    def pair_heads(self, teacher: nn.Module) -> list[HeadPair]:
        """Return the class outputs of each distilled head, the student's and the teacher's.

        Args:
            teacher: The teacher's detector.

        Raises:
            TypeError: If a head is not supported.
            ValueError: If the teacher's heads do not correspond to the student's.
        """
        raise NotImplementedError

    def capture_student(self) -> AbstractContextManager[Any]:
        """Return a context that records the student's class logits, for :meth:`compare`."""
        raise NotImplementedError

    def compare(self, captured: Any, teacher_features: tuple[Tensor, ...]) -> list[DistilledHead]:
        """Bring the class logits of student and teacher into the same rows, head by head.

        Args:
            captured: The record of :meth:`capture_student`.
            teacher_features: The levels of the teacher's neck.
        """
        raise NotImplementedError

    def probe(self, captured: Any, teacher_features: tuple[Tensor, ...]) -> list[Tensor]:
        """Return a few class logits of all the teacher's heads; see :meth:`compare`."""
        raise NotImplementedError

    def classify_again(
        self, features: tuple[Tensor, ...], calls: list[tuple[dict, Any]]
    ) -> list[tuple[Tensor, Tensor]]:
        """Repeat the classification of the teacher's own ``predict`` as :meth:`compare` does it.

        Args:
            features: The levels of the teacher's neck.
            calls: Arguments and result of each call with which it classified.

        Returns:
            Pairs of equal shape: class logits that would be distilled, and those of the call.
        """
        raise NotImplementedError


def _over_student(distiller: type, student_type: str | type) -> type:
    """Return a class that derives from a distiller and from the student's own class."""
    student = find(MODELS, student_type)
    if not isinstance(student, type):
        raise UnknownNameError(
            f'student_type={student_type!r} is not in the registry of models. Give the type that '
            "the student's stock config has, and import the package that registers it."
            + did_you_mean(student_type, MODELS.module_dict)
        )
    # Every distiller has a family. A config that inherits from a distilling one would name it here.
    if hasattr(student, 'family'):
        raise ArgumentError(
            f'student_type={student_type!r} is a distilling detector itself. Give the type that '
            "the student's stock config has."
        )
    if reason := reason_against(student, distiller.teachers):
        raise ArgumentError(f'{student_type} cannot be distilled: {reason}.')
    if not issubclass(student, distiller.family):
        raise ArgumentError(
            f'student_type={student_type!r} is no {distiller.family.__name__}, so '
            f'{distiller.__name__} cannot distil it.'
        )
    return type(f'{distiller.__name__}Over{student.__name__}', (distiller, student), {})
