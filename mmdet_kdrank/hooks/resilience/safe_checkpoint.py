"""Checkpoints that survive what stops a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmdet_kdrank.distributed import on_all_ranks
from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.hooks.resilience.file_backends import AtomicBackend, LaterRemovals
from mmdet_kdrank.hooks.resilience.finite_weights_hook import refuse_nonfinite
from mmdet_kdrank.hooks.resilience.resuming import RestOfEpoch, latest_readable
from mmdet_kdrank.hooks.resilience.stop_request import Stopped, StopRequest

PREEMPTED = 'preempted.pth'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook for runs that are killed, pre-empted or out of disk space.

    It replaces MMEngine's hook: ``default_hooks=dict(checkpoint=dict(
    type='SafeCheckpointHook'))``.

    - :class:`~mmdet_kdrank.hooks.AtomicBackend` writes local files. A file that a new one replaces
      (``max_keep_ckpts``, ``save_best``) is removed after the new one is written.
    - ``--resume`` without a path uses the newest checkpoint that can be read, and names those
      that cannot.
    - On a signal, all processes finish the iteration, of training or validation. Then
      ``preempted.pth`` is written and they exit with 128 + the signal's number. ``--resume``
      continues there, also in the middle of an epoch; an interrupted validation is repeated.
    - Weights with a NaN or inf are not written. A hook that adds weights of its own to the
      checkpoint names their key in an attribute ``weights_key``, so that they are checked too.
    - If the main process cannot write, all processes end with its message.

    Args:
        signals: Signals that stop the run. ``()``: none.
        **kwargs: Options of :class:`mmengine.hooks.CheckpointHook`.

    Raises:
        TypeError: If an option is unknown.
        ValueError: If a signal is unknown.

    Example:
        >>> hook = HOOKS.build(dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=2))
        >>> hook.backend_args
        {'backend': 'atomic'}
    """

    def __init__(self, *, signals: Sequence[str] = ('SIGTERM', 'SIGINT'), **kwargs: Any) -> None:
        local = '://' not in str(kwargs.get('out_dir') or '')
        if local and kwargs.get('file_client_args') is None and not kwargs.get('backend_args'):
            kwargs['backend_args'] = dict(backend='atomic')
        super().__init__(**kwargs)
        if self.args:
            # MMEngine passes them to Runner.save_checkpoint, which accepts none of them.
            raise ArgumentTypeError(
                f'default_hooks.checkpoint: SafeCheckpointHook has no option '
                f'{", ".join(self.args)}, so the first checkpoint could not be written. Correct '
                'the name, or remove it.'
            )
        self._stop = StopRequest(signals)
        # Finished iterations of the current epoch; after resuming, also the epoch's length.
        self._done = 0
        self._resumed: tuple[int, int] | None = None
        self._validation_due = False
        self._shared_batches = 0

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint of a ``--resume`` without a path."""
        if runner._resume and runner._load_from is None:
            latest = partial(latest_readable, runner.work_dir, self.filename_tmpl)
            path = [on_all_ranks(latest if is_main_process() else lambda: None)]
            broadcast_object_list(path)
            runner._load_from = path[0]

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep at which iteration of an epoch it was written, and whether in a validation."""
        meta = checkpoint.get('meta', {})
        self._resumed = meta.get('epoch_progress')
        self._validation_due = meta.get('validation_due', False)

    def before_train(self, runner: Runner) -> None:
        """Start to listen for signals."""
        super().before_train(runner)
        if not runner.iter:
            # A checkpoint that is not resumed gave its weights alone.
            self._resumed, self._validation_due = None, False
        self.file_backend = LaterRemovals(self.file_backend)
        runner.save_checkpoint = self._agreed(runner.save_checkpoint)
        self._stop.listen()

    def before_train_epoch(self, runner: Runner) -> None:
        """Repeat an interrupted validation, and skip the batches that were trained on already."""
        self._validate_if_due(runner)
        (done, length), self._resumed = self._resumed or (0, 0), None
        self._done = 0
        loop = runner.train_loop
        if not done or not isinstance(loop, EpochBasedTrainLoop):
            return
        if length != len(loop.dataloader):
            runner.logger.warning(
                f'The checkpoint was written {done} iterations into an epoch of {length}, but an '
                f'epoch has {len(loop.dataloader)} now, so epoch {loop.epoch + 1} starts again.'
            )
            return
        runner.logger.info(f'Continuing after {done} iterations of epoch {loop.epoch + 1}.')
        loop.dataloader = RestOfEpoch(loop.dataloader, done)
        self._done = done

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Handle the death of workers, which torch starts to watch with the first batch."""
        self._stop.listen_to_workers()

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Write a checkpoint if one is due, and stop if a signal asked for it."""
        self._done += 1
        super().after_train_iter(runner, *args, **kwargs)
        self._stop_if_asked(runner, runner.iter + 1)

    def before_val(self, runner: Runner) -> None:
        """Stop if a signal asked for it, and agree on the batches after which to ask again."""
        self._stop_if_asked(runner, runner.iter, validation_due=True)
        # If the data set does not divide evenly, some ranks have one batch more.
        fewest = torch.tensor(len(runner.val_dataloader))
        all_reduce(fewest, op='min')
        self._shared_batches = int(fewest)

    def before_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Handle the death of workers, as in training."""
        self._stop.listen_to_workers()

    def after_val_iter(self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        """Stop if a signal asked for it."""
        if batch_idx < self._shared_batches:
            self._stop_if_asked(runner, runner.iter, validation_due=True, averaged=True)

    def after_val(self, runner: Runner) -> None:
        """Stop if a signal asked for it."""
        self._stop_if_asked(runner, runner.iter)

    def after_train_epoch(self, runner: Runner) -> None:
        """Write a checkpoint if one is due."""
        if isinstance(runner.train_loop.dataloader, RestOfEpoch):
            runner.train_loop.dataloader = runner.train_loop.dataloader.loader
        self._done = 0
        super().after_train_epoch(runner)

    def after_train(self, runner: Runner) -> None:
        """Repeat a validation that was interrupted after the last epoch, and ignore signals."""
        self._validate_if_due(runner)
        self._stop.close()
        # MMEngine publishes in the main process alone.
        on_all_ranks(partial(super().after_train, runner))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights that are not finite, and save the progress of the epoch.

        Raises:
            FloatingPointError: Names the weight.
        """
        refuse_nonfinite(runner, checkpoint)
        checkpoint['meta']['epoch_progress'] = (self._done, len(runner.train_dataloader))

    def _save_checkpoint_with_step(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        save = partial(super()._save_checkpoint_with_step, runner, *args, **kwargs)

        def save_and_remove() -> None:
            save()
            self.file_backend.carry_out()

        # The ranks meet in `runner.save_checkpoint` inside. What can fail on one rank comes after
        # it: the main process writes last_checkpoint and removes files.
        on_all_ranks(save_and_remove)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        on_all_ranks(self.file_backend.carry_out)

    def _agreed(self, save: Callable) -> Callable:
        def save_checkpoint(out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
            # MMEngine saves in the main process alone.
            on_all_ranks(partial(save, out_dir, filename, *args, **kwargs))
            self.file_backend.keep(self.file_backend.join_path(out_dir, filename))

        return save_checkpoint

    def _validate_if_due(self, runner: Runner) -> None:
        due, self._validation_due = self._validation_due, False
        if due and runner.val_loop is not None:
            runner.logger.info('Repeating the validation in which the run was stopped.')
            runner.val_loop.run()

    def _stop_if_asked(
        self,
        runner: Runner,
        iterations: int,
        validation_due: bool = False,
        averaged: bool = False,
    ) -> None:
        signal = self._stop.agreed()
        if signal is None:
            return
        for hook in runner.hooks if averaged else ():
            if isinstance(hook, EMAHook):
                # It gives the model its own weights back, in place of the averaged ones.
                hook.after_val_epoch(runner)
        meta = dict(epoch=runner.epoch, iter=iterations, validation_due=validation_due)
        path = self._save_preempted(runner, meta)
        # Signals stay handled: a launcher sends them to the others when the first process ends.
        runner.logger.warning(f'Stopped by {signal.name}; --resume continues from {path}.')
        raise Stopped(128 + signal)

    def _save_preempted(self, runner: Runner, meta: dict) -> str:
        runner.save_checkpoint(
            self.out_dir,
            PREEMPTED,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=False,
            backend_args=self.backend_args,
        )
        path = self.file_backend.join_path(self.out_dir, PREEMPTED)
        # MMEngine looks for this file on the local disk, even if the checkpoints are elsewhere.
        name = Path(runner.work_dir) / 'last_checkpoint'
        point = partial(AtomicBackend().put_text, path, name)
        on_all_ranks(point if is_main_process() else lambda: None)
        return path
