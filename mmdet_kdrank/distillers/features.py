"""Distilling the levels of the neck, with adapters that are not part of the student."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mmdet_kdrank.distillers.entries import build_loss, check_names, has_weights
from mmdet_kdrank.distillers.finite_guard import Checked
from mmdet_kdrank.errors import ArgumentError, StateError, UnsupportedError
from mmdet_kdrank.heads.capture import watch_method
from mmdet_kdrank.ops.checks import blamed_on

Levels = tuple[Tensor, ...]


class FeatureDistillation(nn.ModuleDict):
    """The entries of ``distill_features``, by name.

    The weights of the losses (adapters) are in ``parameters()``, so they are optimised and
    synchronised. They are in no ``state_dict()`` of the detector, because a checkpoint holds the
    student alone. Code that saves them elsewhere uses :meth:`adapters` and :meth:`load_adapters`,
    and sets :attr:`saved`.

    Building the losses leaves the random numbers of the student as they are.

    Args:
        configs: Configs of registered losses, called as
            ``loss(student_levels, teacher_levels)`` with two sequences of (B, C, h, w).

    Raises:
        ValueError: If a name or a loss is not acceptable.
    """

    saved = False
    """Whether other code saves the adapters, so that a resumed run has them."""

    def __init__(self, configs: dict[str, dict]) -> None:
        with torch.random.fork_rng(devices=[]):
            super().__init__()
            check_names(configs, 'distill_features')
            for name, config in configs.items():
                with blamed_on(f'distill_features.{name}', 'Correct the type or the argument.'):
                    self[name] = build_loss(config, 'distill_features')
        self._register_state_dict_hook(_leave_out)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        # With their own values in it, loading finds no missing key and changes no adapter.
        for name, loss in self.items():
            state_dict.update(loss.state_dict(prefix=f'{prefix}{name}.'))
        super()._load_from_state_dict(state_dict, prefix, *args)

    def adapters(self) -> dict[str, dict[str, Tensor]]:
        """Return the state of the losses that have weights, by name; it shares their memory."""
        return {name: loss.state_dict() for name, loss in self.items() if has_weights(loss)}

    def load_adapters(self, states: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Load the return value of :meth:`adapters` of another run.

        Raises:
            ValueError: If the names or shapes are not those of these losses.
        """
        try:
            if states.keys() != self.adapters().keys():
                raise StateError(f'It has adapters of {", ".join(states) or "no loss"}.')
            for name, state in states.items():
                self[name].load_state_dict(state)
        except RuntimeError as error:
            raise ArgumentError(
                f'The adapters in the checkpoint do not fit distill_features, which has '
                f'{", ".join(self.adapters())}. {" ".join(str(error).split())} Give '
                'distill_features as in the run that wrote it.'
            ) from error

    def require_saved(self) -> None:
        """Refuse to train adapters that a resumed run would not have.

        Raises:
            RuntimeError: If there are adapters and :attr:`saved` is not set.
        """
        if self.adapters() and not self.saved:
            raise StateError(
                f'distill_features.{next(iter(self.adapters()))} trains adapters, which are no '
                "part of the student's state_dict: a resumed run would reset them. Add "
                "dict(type='DistillAdapterHook') to custom_hooks, which saves them separately. In "
                'a training loop without hooks, save distill_features.adapters() and set '
                'distill_features.saved = True.'
            )

    @contextmanager
    def watch(self, student: nn.Module) -> Iterator[list[Levels]]:
        """Record what the student's ``extract_feat`` returns, one entry a call.

        Raises:
            RuntimeError: If adapters are trained and :attr:`saved` is not set.
        """
        self.require_saved()
        calls: list[Levels] = []
        with watch_method(student, 'extract_feat', lambda _, levels: calls.append(levels)):
            yield calls

    def forward(
        self,
        calls: list[Levels],
        teacher: Levels,
        factors: Mapping[str, float],
        idle: Collection[str] = (),
    ) -> dict[str, Tensor]:
        """Return the losses of one iteration.

        Args:
            calls: The record of :meth:`watch`.
            teacher: Levels of the teacher's neck.
            factors: Factor on each loss.
            idle: Losses that are not computed, and are 0.

        Returns:
            The losses by name.

        Raises:
            NotImplementedError: If the student did not compute its features once.
            ValueError: If the levels do not correspond.
        """
        if len(calls) != 1:
            raise UnsupportedError(
                f'The student called extract_feat {len(calls)} times in one training step, not '
                'once, so its features cannot be told apart. Leave distill_features out.'
            )
        values = {}
        for name, loss in self.items():
            try:
                values[name] = (
                    _zero_of(loss, teacher[0])
                    if name in idle
                    else factors[name] * loss(calls[0], teacher)
                )
            except ValueError as error:
                raise ArgumentError(f'distill_features.{name}: {error}') from error
        return values

    def checked(self, calls: list[Levels], teacher: Levels) -> list[Checked]:
        """Return the levels that the losses compare, with their names in an error."""
        return [
            Checked(side, f"level {index} of the {side}'s features behind {', '.join(self)}", level)
            for side, levels in (('student', calls[0]), ('teacher', teacher))
            for index, level in enumerate(levels)
        ]


def _leave_out(_: nn.Module, state_dict: dict[str, Tensor], prefix: str, __: dict) -> None:
    for key in [key for key in state_dict if key.startswith(prefix)]:
        del state_dict[key]


def _zero_of(loss: nn.Module, like: Tensor) -> Tensor:
    """Return 0 with a gradient of 0 for each parameter, because DDP waits for all of them."""
    return sum((0 * parameter.sum() for parameter in loss.parameters()), like.new_zeros(()))
