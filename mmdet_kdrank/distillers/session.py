"""The teacher's side of a distilling detector: load it, match it with the student, run it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.logging import print_log
from torch import Tensor, nn

from mmdet_kdrank.distributed import on_all_ranks
from mmdet_kdrank.errors import ArgumentError, StateError
from mmdet_kdrank.heads.class_output import ClassOutput
from mmdet_kdrank.heads.declarations import reason_against
from mmdet_kdrank.ops.suggestions import class_name
from mmdet_kdrank.structures.class_alignment import align_classes, training_classes
from mmdet_kdrank.structures.samples import ClassAlignment
from mmdet_kdrank.teachers.dead_branches import cut_dead_branches
from mmdet_kdrank.teachers.teacher import Teacher, TeacherSource, load_on_all_ranks
from mmdet_kdrank.teachers.teacher_input import TeacherInput
from mmdet_kdrank.teachers.verification import TeacherCheck

Levels = tuple[Tensor, ...]
HeadPair = tuple[ClassOutput, ClassOutput]
"""Class outputs of one distilled head, the student's and the teacher's."""


class TeacherSession:
    """A teacher, and how it fits one student.

    It is no module on purpose: the teacher is in no state dict, optimizer or bucket of distributed
    training. A copy of the session (EMA, pickling) has no teacher.

    Args:
        teacher: ``config``, ``checkpoint`` and optionally ``channels_last`` and ``verify``.

    Raises:
        ValueError: If an option is unknown, missing or out of range.
    """

    def __init__(self, teacher: dict | None) -> None:
        # A copy: DETR and others write into their config, which student and teacher may share.
        self.source = TeacherSource.from_config(copy.deepcopy(teacher))
        verify = self.source.verify
        self.check = None if verify in (None, False) else TeacherCheck.from_option(verify)
        self.teacher: Teacher | None = None
        self.heads: list[HeadPair] = []
        self.classes: ClassAlignment | None = None
        self._input: TeacherInput | None = None
        self._verified = False
        self.started = False
        """Whether the checks of the first batch have passed."""

    def __getstate__(self) -> dict:
        return {**self.__dict__, 'teacher': None, '_input': None}

    @property
    def model(self) -> nn.Module:
        """The teacher's detector.

        Raises:
            RuntimeError: If it is not loaded.
        """
        if self.teacher is None:
            raise StateError(
                "The teacher is not loaded: call init_weights() before training (MMEngine's "
                'Runner does).'
            )
        return self.teacher.model

    def load(
        self,
        student: nn.Module,
        families: tuple[type[nn.Module], ...] | None,
        pair_heads: Callable[[nn.Module], list[HeadPair]],
    ) -> None:
        """Load the teacher onto the student's device, on all ranks or on none.

        Args:
            student: The student.
            families: The detector classes that can teach it; None if no logits are compared.
            pair_heads: Returns the class outputs of each distilled head for a teacher's detector.

        Raises:
            ValueError: If teacher and student do not fit together.
            OtherRankError: If another rank could not load it.
        """
        teacher = load_on_all_ranks(self.source)

        def fit() -> tuple[list[HeadPair], TeacherInput]:
            heads = []
            if families is not None:
                check_teacher(teacher.model, families)
                heads = pair_heads(teacher.model)
            check_outputs(heads)
            return heads, TeacherInput(student.data_preprocessor, teacher.model.data_preprocessor)

        self.heads, self._input = on_all_ranks(fit)
        teacher.model.to(next(student.parameters()).device)
        self.teacher = teacher

    def apply(self, fn: Callable, *args: Any, **kwargs: Any) -> None:
        """Move or convert the teacher along with the student."""
        if self.teacher is not None:
            self.teacher.model._apply(fn, *args, **kwargs)

    def verify(self, config: dict) -> None:
        """Evaluate the teacher, if the config asks for it.

        Args:
            config: Config of the run, with ``val_dataloader`` and ``val_evaluator``.

        Raises:
            CheckpointError: If the teacher detects too little.
        """
        # The config and the tool may each add the hook.
        if self.check is not None and not self._verified:
            self.check(self.teacher, config)
        self._verified = True

    def require_verified(self) -> None:
        """Raise RuntimeError if ``teacher.verify`` is set and :meth:`verify` was not called."""
        self.source.expect_verified(self._verified)

    def match_classes(self) -> None:
        """Match the classes by name, which the first step knows; ValueError if they do not fit."""
        student, teacher = self.heads[0]
        self.classes = align_classes(
            training_classes(), self.teacher.classes, student.num_classes, teacher.num_classes
        )

    @torch.no_grad()
    def features(self, inputs: Tensor, data_samples: list[DetDataSample] | dict) -> Levels:
        """Return the levels of the teacher's neck, (B, C, h, w), on the student's batch.

        Args:
            inputs: Images normalised for the student, (B, 3, H, W).
            data_samples: Their samples, or one dict for all images.
        """
        return self.teacher.features(self.images(inputs, data_samples))

    def images(self, inputs: Tensor, data_samples: list[DetDataSample]) -> Tensor:
        """Return the student's batch, normalised for the teacher, (B, 3, H, W)."""
        return self._input(inputs, data_samples)

    def trim(self, logits: Callable[[], Sequence[Tensor]]) -> None:
        """Cut the branches that the class logits do not need.

        Args:
            logits: Returns a few class logits of all of the teacher's heads, or none to cut none.
        """
        cut = cut_dead_branches(self.model, logits)
        print_log(f'The teacher runs without {", ".join(cut) or "nothing"}.', logger='current')


def check_teacher(model: nn.Module, families: tuple[type[nn.Module], ...]) -> None:
    """Raise ValueError if a teacher has no class logits to distil, or is of another family."""
    if reason := reason_against(type(model), families):
        raise ArgumentError(f'{class_name(type(model))} cannot be a teacher: {reason}.')
    if not isinstance(model, families):
        raise ArgumentError(
            f'The teacher is a {class_name(type(model))}, and the student needs a '
            f'{" or ".join(family.__name__ for family in families)}. Choose a teacher of the '
            "student's family."
        )


def check_outputs(heads: Sequence[HeadPair]) -> None:
    """Raise ValueError if the activations or background channels of a pair of heads differ."""
    for student, teacher in heads:
        if (student.activation, student.background) != (teacher.activation, teacher.background):
            raise ArgumentError(
                f"The student's class output is {student}, the teacher's {teacher}: their logits "
                'mean different things. Choose a teacher whose head has the same activation and '
                'the same background channel.'
            )
