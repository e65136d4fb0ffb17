"""Keeps weights that are not finite out of checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from mmdet_kdrank.errors import NonFiniteError
from mmdet_kdrank.ops.checks import describe_nonfinite


@HOOKS.register_module()
class FiniteWeightsHook(Hook):
    """Refuses to write a checkpoint whose weights hold a NaN or inf; the earlier ones are kept.

    It works with MMEngine's own CheckpointHook. SafeCheckpointHook does the same itself, and stops
    all ranks; this hook stops rank 0. This project's ``tools/train.py`` adds it. Elsewhere a config
    needs ``default_hooks=dict(finite_weights=dict(type='FiniteWeightsHook'))``.

    Raises:
        FloatingPointError: Before the checkpoint is written; names the weight.

    Example:
        >>> HOOKS.build(dict(type='FiniteWeightsHook')).priority
        'VERY_LOW'
    """

    # After hooks that exchange or add weights, such as EMAHook.
    priority = 'VERY_LOW'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the weights."""
        refuse_nonfinite(runner, checkpoint)


def refuse_nonfinite(runner: Runner, checkpoint: dict) -> None:
    """Raise FloatingPointError if weights of a checkpoint are not finite.

    Args:
        runner: Its hooks may name further weights in an attribute ``weights_key``.
        checkpoint: About to be written.
    """
    keys = [getattr(hook, 'weights_key', None) for hook in runner.hooks]
    for key in ('state_dict', 'ema_state_dict', *filter(None, keys)):
        if fault := describe_nonfinite(dict(_tensors(key, checkpoint.get(key, {})))):
            raise NonFiniteError(
                f'{fault} at iteration {checkpoint["meta"]["iter"]}: this checkpoint is not '
                'written, and the earlier ones are kept. Lower the learning rate or clip '
                'gradients, and resume from one of them.'
            )


def _tensors(name: str, state: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested dicts, named by their keys with dots between these."""
    for key, value in state.items():
        if isinstance(value, Tensor):
            yield f'{name}.{key}', value
        elif isinstance(value, Mapping):
            yield from _tensors(f'{name}.{key}', value)
