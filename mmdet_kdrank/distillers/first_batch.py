"""What happens once, on the first batch: matching classes, and checks that need images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from mmdet_kdrank.distillers.distill_terms import DistilledHead
from mmdet_kdrank.distillers.path_check import PathCheck
from mmdet_kdrank.distributed import on_all_ranks
from mmdet_kdrank.heads.value_range import check_logits_range, check_probabilities


class FirstBatch:
    """Matches student and teacher, and refuses what would be wrong silently.

    It exists during the first step alone, so that later steps cost nothing. All ranks raise
    together.

    Args:
        student: The distilling detector, whose teacher is loaded.
    """

    def __init__(self, student: nn.Module) -> None:
        self.student = student
        self.session = student.teacher_session
        checked = student.path_check and self.session.heads
        self.path = PathCheck(student) if checked else None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Match the classes; then record how the student classifies.

        Raises:
            ValueError: If the classes cannot be matched, or a loss needs more of them.
            RuntimeError: If ``teacher.verify`` is set and the teacher was not verified.
        """
        on_all_ranks(self._match)
        with ExitStack() as stack:
            if self.path is not None:
                stack.enter_context(self.path.watch_student())
            yield

    def _match(self) -> None:
        session, terms = self.session, self.student.distill_terms
        session.require_verified()
        subject = 'features'
        if session.heads:
            session.match_classes()
            terms.check_columns(session.classes, session.heads[0][0])
            subject = f'{len(session.classes.student)} classes'
        print_log(
            f'Distilling {subject} from {type(session.model).__name__} '
            f'({session.teacher.checkpoint}) with {", ".join(self.student.distill_factors)}.',
            logger='current',
        )

    def finish(
        self,
        inputs: Tensor,
        data_samples: Any,
        features: tuple[Tensor, ...],
        captured: Any,
        heads: Sequence[DistilledHead],
    ) -> None:
        """Check the first comparison, then cut what the teacher's logits do not need.

        Args:
            inputs: Images normalised for the student, (B, 3, H, W).
            data_samples: Their samples.
            features: The levels of the teacher's neck.
            captured: The student's record.
            heads: The rows of both sides.

        Raises:
            ValueError: If a declaration does not fit the values, or a detector classifies by other
                logits than are distilled.
        """

        def check() -> None:
            # A head with several kinds of maps (corners) declares them once.
            pairs = self.session.heads * (len(heads) // max(1, len(self.session.heads)))
            for head, (student, teacher) in zip(heads, pairs, strict=True):
                check_logits_range('student', student, head.samples.student)
                check_logits_range('teacher', teacher, head.samples.teacher)
                check_probabilities('student', student, head.tensors)
            if self.path is not None:
                self.path.check_student()
                images = self.session.images(inputs, data_samples)
                self.path.check_teacher(images, features, data_samples)

        on_all_ranks(check)
        if heads:
            self.session.trim(lambda: self.student.probe(captured, features))
        self.session.started = True
