"""What the distilling detectors of all families share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from mmdet.structures import DetDataSample
from mmengine.logging import print_log
from torch import Tensor, nn

from mmdet_kdrank.distillers.distill_terms import DistilledHead, DistillTerms
from mmdet_kdrank.distillers.session import HeadPair, TeacherSession
from mmdet_kdrank.distillers.student_class import check_arguments, student_class
from mmdet_kdrank.distributed import on_all_ranks
from mmdet_kdrank.structures.ground_truth import GroundTruth


class DistillMixin:
    """A detector that learns from a teacher beside its own losses.

    Put before a detector class. The student's forward is the detector's own, run once; its class
    logits are captured on the way and compared with the teacher's on the same RoIs or anchors.

    Args:
        teacher: ``config``, ``checkpoint`` and optionally ``channels_last`` and ``verify``
            (see :class:`TeacherSource`). Nothing is read before training starts.
        distill_losses: Configs of registered losses, called as
            ``loss(pred, soft_label, weight=…, avg_factor=…)`` on the rows that the selector chose
            (one that takes no weights: see
            :class:`~mmdet_kdrank.distillers.entries.MeanEntry`); those with ``requires_samples =
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
        session = TeacherSession(teacher)
        order = type(self).__mro__
        check_arguments(order[order.index(DistillMixin) + 1], kwargs)
        super().__init__(*args, **kwargs)
        self.teacher_session = session
        self.distill_terms = DistillTerms(
            distill_losses,
            distill_features,
            selector or self.default_selector,
            channels,
            on_nonfinite,
        )
        # Registered here too: what weights they have (adapters) is trained with the student.
        self.distill_losses = self.distill_terms.losses
        self.distill_features = self.distill_terms.features
        self.distill_factors = self.distill_terms.factors

    def init_weights(self) -> None:
        """Initialise the student, then load the teacher onto its device."""
        super().init_weights()
        if self.teacher_session.teacher is None:
            self.teacher_session.load(self, self.teachers, self.pair_heads)

    def _apply(self, fn: Callable, *args: Any, **kwargs: Any) -> nn.Module:
        self.teacher_session.apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> dict:
        """Compute the student's own losses and the distillation losses.

        Args:
            batch_inputs: Normalised images, (B, 3, H, W).
            batch_data_samples: Their annotations.

        Returns:
            Losses, ``distill_tau`` and ``distill_top1``; those of a head among several carry its
            prefix (``s0.``).

        Raises:
            RuntimeError: If :meth:`init_weights` has not run, or nobody saves the adapters.
            ValueError: If student, teacher and losses do not fit together.
            FloatingPointError: If logits or a distillation loss are not finite, on any rank.
            OtherRankError: If another rank has found that they do not fit together.
        """
        session, terms = self.teacher_session, self.distill_terms
        models = dict(student=self, teacher=session.model)
        first = session.classes is None
        if first:
            on_all_ranks(self._match)
        with self.capture_student() as captured, terms.watch_features(self) as levels:
            losses = super().loss(batch_inputs, batch_data_samples)
        features = session.features(batch_inputs, batch_data_samples)
        if first:
            session.trim(features, self.teacher_logits)
        heads = self.compare(captured, features)
        if terms.requires_boxes:
            objects = GroundTruth.from_data_samples(batch_data_samples)
            heads = [replace(h, samples=replace(h.samples, ground_truth=objects)) for h in heads]
        # In the first step entries with a factor of 0 are computed too: what does not fit shows.
        values = terms(heads, session.classes, (levels, features), models, every=first)
        terms.add_to(losses, values)
        return terms.guard.settle(losses, self)

    def _match(self) -> None:
        session = self.teacher_session
        session.match_classes()
        self.distill_terms.check_columns(session.classes, session.heads[0][0])
        print_log(
            f'Distilling {len(session.classes.student)} classes from '
            f'{type(session.model).__name__} ({session.teacher.checkpoint}) with '
            f'{", ".join(self.distill_factors)}.',
            logger='current',
        )

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
        """Lay the class logits of student and teacher side by side, head by head.

        Args:
            captured: What :meth:`capture_student` recorded.
            teacher_features: The levels of the teacher's neck.
        """
        raise NotImplementedError

    def teacher_logits(self, features: tuple[Tensor, ...]) -> list[Tensor]:
        """Return class logits of all of the teacher's heads, on levels (B, C, h, w) of any size."""
        raise NotImplementedError
