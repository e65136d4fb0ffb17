"""Checkpoints that survive what stops a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmdet_kdrank.checkpoint import CheckpointError
from mmdet_kdrank.distillers.finite import describe_nonfinite
from mmdet_kdrank.errors import ArgumentError, NonFiniteError

from .recovery import latest_readable
from .rest_of_epoch import RestOfEpoch
from .stop_request import StopRequest

PREEMPTED = 'preempted.pth'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook for runs that are killed, pre-empted or out of disk.

    Takes the place of MMEngine's hook: ``default_hooks=dict(checkpoint=dict(
    type='SafeCheckpointHook'))``.

    - Local files are written by :class:`~mmdet_kdrank.hooks.AtomicBackend`.
    - ``--resume`` without a path takes the newest checkpoint that can be read, and names those
      that cannot.
    - On a signal, all processes finish the iteration, ``preempted.pth`` is written and the
      processes exit with 128 + the signal's number. ``--resume`` goes on there, in the
      middle of an epoch too.
    - Weights with a NaN or inf are not written.

    Args:
        signals (Sequence[str]): Signals that stop the run. ``()``: none.
        **kwargs: Those of :class:`mmengine.hooks.CheckpointHook`. ``max_keep_ckpts`` counts the
            checkpoint that is being written, since MMEngine removes the oldest one before.

    Raises:
        ValueError: If ``max_keep_ckpts`` is 1, or a signal is unknown.
    """

    def __init__(self, *, signals: Sequence[str] = ('SIGTERM', 'SIGINT'), **kwargs: Any) -> None:
        local = '://' not in str(kwargs.get('out_dir') or '')
        if local and kwargs.get('file_client_args') is None and not kwargs.get('backend_args'):
            kwargs['backend_args'] = dict(backend='atomic')
        super().__init__(**kwargs)
        if self.max_keep_ckpts == 1:
            raise ArgumentError(
                'default_hooks.checkpoint.max_keep_ckpts=1: the only checkpoint is removed before '
                'the next one is written, so a fault in between leaves none. Set 2 or more.'
            )
        self._stop = StopRequest(signals)
        # Iterations of the current epoch that are done; on resuming, of how many.
        self._done = 0
        self._resumed: tuple[int, int] | None = None

    def before_run(self, runner: Runner) -> None:
        """Choose what ``--resume`` without a path resumes from."""
        if runner._resume and runner._load_from is None:
            runner._load_from = self._agree_on_latest(runner.work_dir)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note how far into an epoch it was written."""
        self._resumed = checkpoint.get('meta', {}).get('epoch_progress')

    def before_train(self, runner: Runner) -> None:
        """Listen for signals from here on."""
        super().before_train(runner)
        self._stop.listen()

    def before_train_epoch(self, runner: Runner) -> None:
        """Leave out the batches of a resumed epoch that were trained on."""
        (done, length), self._resumed = self._resumed or (0, 0), None
        self._done = 0
        loop = runner.train_loop
        if not done or not isinstance(loop, EpochBasedTrainLoop):
            return
        if length != len(loop.dataloader):
            runner.logger.warning(
                f'The checkpoint was written {done} iterations into an epoch of {length}, and an '
                f'epoch has {len(loop.dataloader)} now: epoch {loop.epoch + 1} starts over.'
            )
            return
        runner.logger.info(f'Going on after {done} iterations of epoch {loop.epoch + 1}.')
        loop.dataloader = RestOfEpoch(loop.dataloader, done)
        self._done = done

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Listen for workers, which torch starts to watch with the first batch."""
        self._stop.listen_to_workers()

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Write a checkpoint where one is due, and stop where that was asked for."""
        self._done += 1
        super().after_train_iter(runner, *args, **kwargs)
        if signal := self._stop.agreed():
            path = self._save_preempted(runner)
            # A launcher ends the others when the first process is gone.
            barrier()
            self._stop.close()
            runner.logger.warning(f'Stopped by {signal.name}; --resume goes on from {path}.')
            raise SystemExit(128 + signal)

    def after_train_epoch(self, runner: Runner) -> None:
        """Write a checkpoint where one is due."""
        if isinstance(runner.train_loop.dataloader, RestOfEpoch):
            runner.train_loop.dataloader = runner.train_loop.dataloader.loader
        self._done = 0
        super().after_train_epoch(runner)

    def after_train(self, runner: Runner) -> None:
        """Handle signals no more."""
        self._stop.close()
        super().after_train(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights that are not finite, and note how far into an epoch this is.

        Raises:
            FloatingPointError: With the name of the weight.
        """
        for key in ('state_dict', 'ema_state_dict'):
            state = checkpoint.get(key, {})
            if fault := describe_nonfinite({f'{key}.{name}': v for name, v in state.items()}):
                raise NonFiniteError(
                    f'{fault} at iteration {checkpoint["meta"]["iter"]}: this checkpoint is not '
                    'written, and the ones before it are there. Lower the learning rate or clip '
                    'gradients, and go on from one of them.'
                )
        checkpoint['meta']['epoch_progress'] = (self._done, len(runner.train_dataloader))

    def _save_preempted(self, runner: Runner) -> str:
        runner.save_checkpoint(
            self.out_dir,
            PREEMPTED,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(epoch=runner.epoch, iter=runner.iter + 1),
            by_epoch=False,
            backend_args=self.backend_args,
        )
        path = self.file_backend.join_path(self.out_dir, PREEMPTED)
        if is_main_process():
            self.file_backend.put_text(path, Path(runner.work_dir) / 'last_checkpoint')
        return path

    def _agree_on_latest(self, work_dir: str) -> str | None:
        answer: list = [None, None]
        if is_main_process():
            try:
                answer[0] = latest_readable(work_dir, self.filename_tmpl)
            except CheckpointError as error:
                answer[1] = str(error)
        broadcast_object_list(answer)
        path, fault = answer
        if fault:
            raise CheckpointError(fault)
        return path
