"""Keeps the adapters of feature distillation in the student's checkpoints."""

from __future__ import annotations

from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.hooks.distilling_model import distiller
from mmdet_kdrank.scopes import register

KEY = 'distill_adapters'
"""Key in the checkpoint, alongside ``state_dict`` and ``optimizer``."""


@register(HOOKS)
class DistillAdapterHook(Hook):
    """Saves the adapters of ``distill_features`` in the checkpoint, and loads them into a new run.

    They have their own key, so ``state_dict`` stays that of a plain student. A run that resumes
    such a checkpoint, or starts from it with ``load_from``, loads them. Evaluation ignores them.
    Detectors with adapters do not train without this hook.

    Raises:
        TypeError: Before training, if the model is no distilling detector.
        ValueError: Before training, if the adapters of the checkpoint do not fit, or a resumed
            checkpoint has none.

    Example:
        >>> hook = HOOKS.build(dict(type='DistillAdapterHook'))
        >>> hook.priority
        'NORMAL'
    """

    # SafeCheckpointHook checks that the weights under this key are finite.
    weights_key = KEY

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the adapters, if there are any."""
        features = distiller(runner, self).distill_features
        if features is not None and (states := features.adapters()):
            checkpoint[KEY] = {name: weights_to_cpu(state) for name, state in states.items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the adapters until training begins; evaluation loads checkpoints too."""
        self._loaded = checkpoint.get(KEY)

    def before_train(self, runner: Runner) -> None:
        """Load the adapters, make all ranks equal, and tell the model that they are saved."""
        features = distiller(runner, self).distill_features
        if features is None:
            return
        states = features.adapters()
        if states and self._loaded is not None:
            features.load_adapters(self._loaded)
        elif states and runner.iter:
            raise ArgumentError(
                f'The run resumes at iteration {runner.iter}, and the checkpoint has no {KEY}: the '
                f'adapters of distill_features.{", ".join(states)} would be untrained in the '
                'middle of the schedule. Resume a checkpoint that was written with '
                'DistillAdapterHook, or start a new run from this one with load_from.'
            )
        self._loaded = None
        # The runner does this for everything in the state_dict.
        for state in states.values():
            for value in state.values():
                broadcast(value)
        features.saved = True
