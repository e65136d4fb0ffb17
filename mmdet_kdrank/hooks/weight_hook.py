"""Distillation weights that follow a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.hooks.distilling_model import distiller
from mmdet_kdrank.hooks.schedule import Schedule


@HOOKS.register_module()
class DistillWeightHook(Hook):
    """Multiplies the weight of entries of ``distill_losses`` and ``distill_features``.

    The factor multiplies the configured weight. It depends on the iteration or the epoch alone, so
    a resumed run continues with the same factors. If the factor is exactly 0, the loss is logged as
    0 and not computed, except in a run's first iteration. The log shows each factor as
    ``distill_factor.NAME``.

    Args:
        schedules: Pieces of a schedule by the name of the entry, see
            :class:`~mmdet_kdrank.hooks.schedule.Schedule`.

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
