"""Keeping the adapters of feature distillation beside the student in its checkpoints."""

from __future__ import annotations

from typing import Any

from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.hooks.distilling_model import distiller

KEY = 'distill_adapters'
"""Key of the checkpoint, beside ``state_dict`` and ``optimizer``."""


@HOOKS.register_module()
class DistillAdapterHook(Hook):
    """Saves the adapters of ``distill_features`` in the checkpoint, and gives them to a new run.

    They stand under a key of their own, so ``state_dict`` stays a plain student's. A run that
    resumes such a checkpoint, or starts from it with ``load_from``, takes them over; evaluation
    ignores them. Detectors with adapters do not train without this hook.

    Raises:
        TypeError: Before training, if the model is no distilling detector.
        ValueError: Before training, if the adapters of the checkpoint do not fit, or a resumed
            checkpoint has none.

    Example:
        >>> hook = HOOKS.build(dict(type='DistillAdapterHook'))
        >>> hook.priority
        'NORMAL'
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the adapters, if there are any."""
        features = distiller(runner, self).distill_features
        if features is not None and (states := features.adapters()):
            checkpoint[KEY] = {name: weights_to_cpu(state) for name, state in states.items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the adapters; whether there will be any training is not known yet."""
        self._loaded = checkpoint.get(KEY)

    def before_train(self, runner: Runner) -> None:
        """Take over what was loaded, on all ranks alike, and vouch for the saving."""
        features = distiller(runner, self).distill_features
        if features is None:
            return
        states = features.adapters()
        if states and self._loaded is not None:
            features.load_adapters(self._loaded)
        elif states and runner.iter:
            raise ArgumentError(
                f'The run resumes at iteration {runner.iter}, and the checkpoint has no {KEY}: '
                f'the adapters of distill_features.{", ".join(states)} would start anew in the '
                'middle of the schedule. Resume one that was written with DistillAdapterHook, or '
                'start a new run from this one with load_from.'
            )
        self._loaded = None
        # What the runner does for all that is in the state_dict.
        for state in states.values():
            for value in state.values():
                broadcast(value)
        features.saved = True
