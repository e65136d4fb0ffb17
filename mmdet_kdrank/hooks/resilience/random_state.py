"""Random states in the checkpoint."""

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
    """Keep the random states of every process in the checkpoint, and go on from them.

    A resumed run then draws what the uninterrupted one drew: the RoIs or anchors that are sampled,
    flips and crops, dropout. With ``randomness=dict(seed=…, deterministic=True)`` and as many
    processes its weights are the same bit for bit. Validation draws from random numbers of its
    own, as it is not run again on resuming. The states are under ``random_states``, one a rank.

    Raises:
        ValueError: If a resumed run could not be the same: another seed or number of processes
            than the checkpoint's, or workers that outlive an epoch.

    Example:
        >>> hook, checkpoint = HOOKS.build(dict(type='RandomStateHook')), {}
        >>> hook.before_save_checkpoint(runner=None, checkpoint=checkpoint)
        >>> list(checkpoint)
        ['random_states']
    """

    # Of all hooks the last, so that what others draw is in the states.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._seed: int | None = None
        self._loaded: dict | None = None
        self._states: list[dict] = []
        self._before_val: dict | None = None

    def before_run(self, runner: Runner) -> None:
        """Note the seed that the data loaders get, before a checkpoint's replaces it."""
        self._seed = runner._randomness_cfg.get('seed')

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note what the checkpoint holds."""
        self._loaded = dict(
            seed=checkpoint.get('meta', {}).get('seed'), states=checkpoint.get('random_states')
        )

    def before_train(self, runner: Runner) -> None:
        """Refuse what cannot go on the same, and see to it that every process is asked."""
        loader = runner.train_dataloader
        if (
            isinstance(runner.train_loop, EpochBasedTrainLoop)
            and loader.num_workers
            and loader.persistent_workers
        ):
            raise ArgumentError(
                'RandomStateHook: with train_dataloader.persistent_workers=True the random numbers '
                'of the loading workers at an epoch depend on all epochs before it, which a '
                'resumed run does not load. Set train_dataloader.persistent_workers=False.'
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
            loop.dataloader_iterator = _set_after(loop.dataloader_iterator, loop.iter, state)
        else:
            set_random_state(state)

    def before_val(self, runner: Runner) -> None:
        """Note the states of training."""
        self._before_val = random_state()

    def after_val(self, runner: Runner) -> None:
        """Set the states of training again."""
        set_random_state(self._before_val)
        self._before_val = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the states of all ranks."""
        checkpoint['random_states'] = self._states

    def _check(self, seed: int | None, states: list[dict] | None) -> None:
        if not states:
            print_log(
                'RandomStateHook: the checkpoint has no random states. The run goes on with new '
                'ones, so it will differ from the uninterrupted one.',
                logger='current',
                level=logging.WARNING,
            )
            return
        if len(states) != get_world_size():
            raise ArgumentError(
                f'RandomStateHook: the checkpoint was written by {len(states)} processes and this '
                f'run has {get_world_size()}, so it cannot be the same. Start as many, or leave '
                'the hook out of custom_hooks.'
            )
        if seed != self._seed:
            raise ArgumentError(
                f'RandomStateHook: randomness.seed is {self._seed} and the checkpoint was written '
                f'with {seed}, so the pictures would come in another order. Set '
                f'--cfg-options randomness.seed={seed}.'
            )

    def _gathering(self, runner: Runner, save: Callable) -> Callable:
        def save_checkpoint(*args: Any, **kwargs: Any) -> Any:
            # Those of a resumed run that has not set them yet are still the ones to go on from.
            loaded = self._loaded and self._loaded['states']
            own = self._before_val or random_state()
            self._states = loaded if loaded and runner.iter else all_gather_object(own)
            return save(*args, **kwargs)

        return save_checkpoint


def _set_after(batches: Iterator[Any], count: int, state: dict) -> Iterator[Any]:
    """Batches of an iterator, with the random state set when ``count`` of them are through."""
    for _ in range(count):
        yield next(batches)
    set_random_state(state)
    yield from batches
