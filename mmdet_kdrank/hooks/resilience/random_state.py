"""Saves the random states in the checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.random_states import random_state, set_random_state


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Saves the random states of every process in the checkpoint, and resumes from them.

    A resumed run then draws the same random numbers as the uninterrupted one: sampled RoIs or
    anchors, flips and crops, dropout. With ``randomness=dict(seed=…, deterministic=True)`` and the
    same number of processes, its weights are the same bit for bit. Validation does not change the
    random states, because a resumed run does not repeat it. The states are under
    ``random_states``, one per rank.

    Raises:
        ValueError: If a resumed run could not be the same: the seed or the number of processes
            differs from the checkpoint's, or workers persist over several epochs.

    Example:
        >>> hook, checkpoint = HOOKS.build(dict(type='RandomStateHook')), {}
        >>> hook.before_save_checkpoint(runner=None, checkpoint=checkpoint)
        >>> list(checkpoint)
        ['random_states']
    """

    # The last of all hooks, so that the states include what other hooks draw.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._seed: int | None = None
        self._loaded: dict | None = None
        self._states: list[dict] = []
        self._before_val: dict | None = None

    def before_run(self, runner: Runner) -> None:
        """Keep the seed of the data loaders, before the checkpoint's seed replaces it."""
        self._seed = runner._randomness_cfg.get('seed')

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the seed and the states of the checkpoint."""
        self._loaded = dict(
            seed=checkpoint.get('meta', {}).get('seed'), states=checkpoint.get('random_states')
        )

    def before_train(self, runner: Runner) -> None:
        """Refuse a run that cannot be the same, and gather the states of all ranks on saving."""
        loader = runner.train_dataloader
        if (
            isinstance(runner.train_loop, EpochBasedTrainLoop)
            and loader.num_workers
            and loader.persistent_workers
        ):
            raise ArgumentError(
                'RandomStateHook: with train_dataloader.persistent_workers=True, the random '
                'numbers of the workers depend on all earlier epochs, which a resumed run does not '
                'load. Set train_dataloader.persistent_workers=False.'
            )
        if runner.iter > 0 and self._loaded is not None:
            self._check(**self._loaded)
        # MMEngine calls before_save_checkpoint in the main process alone.
        runner.save_checkpoint = self._gathering(runner, runner.save_checkpoint)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the states of a resumed run, once."""
        states = self._loaded and self._loaded['states']
        self._loaded = None
        if not states or not runner.iter:
            return
        state = states[get_rank()]
        loop = runner.train_loop
        if isinstance(loop, IterBasedTrainLoop):
            loop.dataloader_iterator = _StateAfter(loop.dataloader_iterator, loop.iter, state)
        else:
            set_random_state(state)

    def before_val(self, runner: Runner) -> None:
        """Keep the states of training."""
        self._before_val = random_state()

    def after_val(self, runner: Runner) -> None:
        """Set the states of training back."""
        set_random_state(self._before_val)
        self._before_val = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the states of all ranks."""
        checkpoint['random_states'] = self._states

    def _check(self, seed: int | None, states: list[dict] | None) -> None:
        if not states:
            print_log(
                'RandomStateHook: the checkpoint has no random states. The run continues with new '
                'ones, so it will differ from the uninterrupted run.',
                logger='current',
                level=logging.WARNING,
            )
            return
        if len(states) != get_world_size():
            raise ArgumentError(
                f'RandomStateHook: the checkpoint was written by {len(states)} processes and this '
                f'run has {get_world_size()}, so it cannot be the same. Start {len(states)} '
                'processes, or remove the hook from custom_hooks.'
            )
        if seed != self._seed:
            raise ArgumentError(
                f'RandomStateHook: randomness.seed is {self._seed} and the checkpoint was written '
                f'with {seed}, so the images would come in another order. Set '
                f'--cfg-options randomness.seed={seed}.'
            )

    def _gathering(self, runner: Runner, save: Callable) -> Callable:
        def save_checkpoint(*args: Any, **kwargs: Any) -> Any:
            # A resumed run that has not set the loaded states yet must save these again.
            loaded = self._loaded and self._loaded['states']
            state = self._before_val or random_state()
            self._states = loaded if loaded and runner.iter else all_gather_object(state)
            return save(*args, **kwargs)

        return save_checkpoint


class _StateAfter:
    """The batches of an iterator; sets the random state after some of them.

    Args:
        batches: The iterator.
        count: Number of batches before the state is set.
        state: As from :func:`~mmdet_kdrank.random_states.random_state`.
    """

    def __init__(self, batches: Iterator[Any], count: int, state: dict) -> None:
        self._batches = batches
        self._left = count
        self._state = state

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._left:
            set_random_state(self._state)
        self._left -= 1
        return next(self._batches)

    def skip_iter(self, count: int) -> None:
        """Load and drop batches, so that workers are in the states of the uninterrupted run.

        OneDL's MMEngine calls it to move the sampler alone.
        """
        for _ in range(count):
            next(self)
