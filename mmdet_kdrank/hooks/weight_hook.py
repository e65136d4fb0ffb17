"""Distillation weights that follow a schedule."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError
from mmdet_kdrank.hooks.distilling_model import distiller
from mmdet_kdrank.ops.checks import check_choice, check_count
from mmdet_kdrank.scopes import register


@dataclass(frozen=True)
class Constant:
    """A constant factor from a step on.

    Args:
        begin: Its first step.
        factor: The factor, at least 0.
        by_epoch: Whether steps are epochs; otherwise iterations.

    Raises:
        ValueError: If a value is out of its range.
    """

    begin: int
    factor: float
    by_epoch: bool = True

    def __post_init__(self) -> None:
        check_count('begin', self.begin, least=0)
        _check_factor('factor', self.factor)

    @property
    def end(self) -> int:
        """The first step at which another piece may begin."""
        return self.begin + 1

    def __call__(self, step: int) -> float:
        """Return the factor, which does not depend on the step."""
        return float(self.factor)


@dataclass(frozen=True)
class Linear:
    """A factor that changes linearly.

    Args:
        begin: Step at which the factor is ``start_factor``.
        end: First step after the change: the factor reaches ``end_factor`` at ``end - 1``, as in
            MMEngine's parameter schedulers.
        start_factor: Factor at the beginning, at least 0.
        end_factor: Factor at the end and after it, at least 0.
        by_epoch: Whether steps are epochs; otherwise iterations.

    Raises:
        ValueError: If a value is out of its range, or there are fewer than two steps.
    """

    begin: int
    end: int
    start_factor: float
    end_factor: float
    by_epoch: bool = True

    def __post_init__(self) -> None:
        check_count('begin', self.begin, least=0)
        check_count('end', self.end)
        if self.end < self.begin + 2:
            raise ArgumentError(
                f'begin={self.begin} and end={self.end} leave fewer than two steps for the change '
                f'of the factor. Set end to {self.begin + 2} or more'
                f'{", or count iterations with by_epoch=False" if self.by_epoch else ""}.'
            )
        _check_factor('start_factor', self.start_factor)
        _check_factor('end_factor', self.end_factor)

    def __call__(self, step: int) -> float:
        """Return the factor at a step from ``begin`` on."""
        progress = self.curve(min((step - self.begin) / (self.end - 1 - self.begin), 1.0))
        return (1 - progress) * self.start_factor + progress * self.end_factor

    def curve(self, done: float) -> float:
        """Return the progress of the change, from 0 to 1, after the share ``done`` of the steps."""
        return done


class Cosine(Linear):
    """A factor that changes along half a cosine: slow, fast, slow. Arguments as Linear."""

    def curve(self, done: float) -> float:
        """Return (1 - cos(pi done)) / 2."""
        return (1 - math.cos(math.pi * done)) / 2


PIECES = {'constant': Constant, 'linear': Linear, 'cosine': Cosine}


class Schedule:
    """The factor as a function of the step alone.

    It is 1 before the first piece. After a piece, its last factor stays until the next piece.

    Args:
        pieces: ``type``, a name in :data:`PIECES`, and its arguments, in order.

    Raises:
        TypeError: If an argument is unknown or missing.
        ValueError: If a value is out of its range, pieces overlap, or some count epochs and some
            iterations.

    Example:
        >>> warm_up = dict(type='linear', begin=0, end=3, start_factor=0, end_factor=1)
        >>> schedule = Schedule([warm_up, dict(type='constant', begin=4, factor=0)])
        >>> [schedule(step) for step in range(6)]
        [0.0, 0.5, 1.0, 1.0, 0.0, 0.0]
    """

    def __init__(self, pieces: Sequence[dict]) -> None:
        if not pieces or not isinstance(pieces, Sequence):
            raise ArgumentTypeError(f'it must be a list of one or more pieces, not {pieces!r}.')
        self.pieces = [_build(index, piece) for index, piece in enumerate(pieces)]
        self.by_epoch = self.pieces[0].by_epoch
        for index, (piece, following) in enumerate(
            zip(self.pieces, self.pieces[1:], strict=False), 1
        ):
            if following.by_epoch != self.by_epoch:
                raise ArgumentError(
                    f'piece 0 has by_epoch={self.by_epoch} and piece {index} '
                    f'by_epoch={following.by_epoch}. Set the same by_epoch in all pieces.'
                )
            if following.begin < piece.end:
                raise ArgumentError(
                    f'piece {index} begins at {following.begin}, but piece {index - 1} ends at '
                    f'{piece.end}. Begin each piece after the end of the one before it.'
                )

    @property
    def end(self) -> int:
        """The first step from which on the factor is constant."""
        return self.pieces[-1].end

    def __call__(self, step: int) -> float:
        """Return the factor at a step, counted from 0."""
        count = bisect_right([piece.begin for piece in self.pieces], step)
        return self.pieces[count - 1](step) if count else 1.0


def _build(index: int, piece: dict) -> Constant | Linear:
    arguments = dict(piece)
    try:
        kind = arguments.pop('type', None)
        check_choice('type', kind, PIECES)
        return PIECES[kind](**arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(f'piece {index}: {error}') from error


def _check_factor(argument: str, value: float) -> None:
    if not (isinstance(value, (int, float)) and 0 <= value < math.inf):
        raise ArgumentError(f'{argument}={value!r} must be a finite number of at least 0.')


@register(HOOKS)
class DistillWeightHook(Hook):
    """Multiplies the weight of entries of ``distill_losses`` and ``distill_features``.

    The factor multiplies the configured weight. It depends on the iteration or the epoch alone, so
    a resumed run continues with the same factors. If the factor is exactly 0, the loss is logged as
    0 and not computed, except in a run's first iteration. The log shows each factor as
    ``distill_factor.NAME``.

    Args:
        schedules: Pieces of a schedule by the name of the entry, see
            :class:`~mmdet_kdrank.hooks.weight_hook.Schedule`.

    Raises:
        TypeError: If a piece lacks an argument or has an unknown one. Before training, if the model
            is no distilling detector.
        ValueError: If a schedule is invalid. Before training, if an entry is unknown or a schedule
            continues after the end of training.

    Example:
        >>> warm_up = dict(type='linear', begin=0, end=3, start_factor=0, end_factor=1)
        >>> hook = HOOKS.build(dict(type='DistillWeightHook', schedules=dict(loss_rank=[warm_up])))
        >>> [hook.schedules['loss_rank'](epoch) for epoch in range(4)]
        [0.0, 0.5, 1.0, 1.0]
    """

    def __init__(self, schedules: dict[str, Sequence[dict]]) -> None:
        self.schedules: dict[str, Schedule] = {}
        for name, pieces in schedules.items():
            try:
                self.schedules[name] = Schedule(pieces)
            except (TypeError, ValueError) as error:
                raise type(error)(f'DistillWeightHook.schedules.{name}: {error}') from error

    def before_train(self, runner: Runner) -> None:
        """Check the schedules against the model and the length of training."""
        known = distiller(runner, self).distill_factors
        for name, schedule in self.schedules.items():
            if name not in known:
                raise ArgumentError(
                    f'DistillWeightHook.schedules.{name}: neither distill_losses nor '
                    f'distill_features has this entry. Choose one of {", ".join(known) or "none"}.'
                )
            unit, last = (
                ('epochs', runner.max_epochs)
                if schedule.by_epoch
                else ('iterations', runner.max_iters)
            )
            if schedule.end > last:
                raise ArgumentError(
                    f'DistillWeightHook.schedules.{name} needs {schedule.end} {unit}, but training '
                    f'ends after {last}. End its pieces before that, or correct by_epoch.'
                )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set and log the factors of this iteration."""
        factors = distiller(runner, self).distill_factors
        for name, schedule in self.schedules.items():
            factors[name] = schedule(runner.epoch if schedule.by_epoch else runner.iter)
            runner.message_hub.update_scalar(f'train/distill_factor.{name}', factors[name])
