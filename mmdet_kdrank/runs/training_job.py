"""A training: `tools/train.py` in a process of its own, resumed where it stopped."""

from __future__ import annotations

import json
import shutil
import sys
from functools import cached_property
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook
from mmengine.registry import HOOKS

import mmdet_kdrank
from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.files.fingerprint import fingerprint
from mmdet_kdrank.runs.job import Job
from mmdet_kdrank.runs.scalars import read_scalars, seconds_per_iteration
from mmdet_kdrank.scopes import find


class Training(Job):
    """A config, options, and a folder.

    Args:
        name: In tables and plots.
        config: Path of the config.
        work_dir: Folder for checkpoints and logs.
        options: ``--cfg-options``.
        depends: A text of everything else that the result depends on; a change retrains.
        after: Jobs that must be done before.
    """

    kind = 'train'

    def __init__(
        self,
        name: str,
        config: Path,
        work_dir: Path,
        options: dict[str, str],
        depends: str,
        after: tuple[Job, ...] = (),
    ) -> None:
        super().__init__(name, work_dir, after)
        self.config = config
        self.work_dir = work_dir
        self.options = options
        self.depends = depends

    @cached_property
    def settings(self) -> Config:
        """The config with the options."""
        config = Config.fromfile(self.config)
        # The command line goes through the same parser, which makes numbers of numerals.
        config.merge_from_dict({key: _parsed(value) for key, value in self.options.items()})
        return config

    @property
    def iterations(self) -> int | None:
        """Length of the training; None where it is counted in epochs."""
        return self.settings.train_cfg.get('max_iters')

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint, which need not exist yet.

        Where EarlyStoppingHook has ended the training, it is the one that MMEngine noted.
        """
        note = self.work_dir / 'last_checkpoint'
        if stops_early(self.settings) and note.is_file():
            return self.work_dir / Path(note.read_text().strip()).name
        return self.work_dir / last_checkpoint_name(self.settings)

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of all that decides the result."""
        content = [self.settings.to_dict(), self.depends, mmdet_kdrank.__version__]
        return fingerprint(json.dumps(content, default=str))

    def command(self, root: Path) -> list[str]:
        """Return the command line, as a user would write it."""
        command = [sys.executable, str(root / 'tools' / 'train.py'), str(self.config)]
        command += ['--work-dir', str(self.work_dir), '--resume']
        options = [f'{key}={value}' for key, value in self.options.items()]
        return [*command, '--cfg-options', *options] if options else command

    def clear(self) -> None:
        """Remove the whole folder."""
        if self.work_dir.exists():
            shutil.rmtree(self.work_dir)

    def progress(self) -> str:
        """Describe its progress, for instance ``teacher: 340/1000, 5:12 left``."""
        records = read_scalars(self.work_dir)
        if not records:
            return f'{self.name}: starting'
        step, length = records[-1]['step'], self.iterations
        if length is None:
            return f'{self.name}: {step}'
        left = round((length - step) * seconds_per_iteration(records))
        return f'{self.name}: {step}/{length}, {left // 60}:{left % 60:02d} left'


def last_checkpoint_name(settings: Config) -> str:
    """File name that MMEngine's checkpoint hook gives to the end of a training.

    Raises:
        ValueError: If the hook counts epochs and the loop iterations, or the other way round.
    """
    hook = settings.get('default_hooks', {}).get('checkpoint', {})
    by_epoch = hook.get('by_epoch', True)
    length = settings.train_cfg.get('max_epochs' if by_epoch else 'max_iters')
    if length is None:
        raise ArgumentError(
            f'default_hooks.checkpoint.by_epoch={by_epoch} does not fit the train_cfg of this '
            f'config, which counts {"iterations" if by_epoch else "epochs"}, so the name of the '
            'last checkpoint is not known before. '
            f'Set default_hooks.checkpoint.by_epoch={not by_epoch}.'
        )
    template = hook.get('filename_tmpl') or ('epoch_{}.pth' if by_epoch else 'iter_{}.pth')
    return template.format(length)


def stops_early(settings: Config) -> bool:
    """Return whether a config has EarlyStoppingHook, so that its last epoch is not known before."""
    hooks = [*settings.get('custom_hooks', ()), *settings.get('default_hooks', {}).values()]
    kinds = (hook.get('type') for hook in hooks if isinstance(hook, dict))
    return any(find(HOOKS, kind) is EarlyStoppingHook for kind in kinds)


def check_early_stopping(name: str, settings: Config, awaited: bool) -> None:
    """Refuse a training whose last checkpoint would not be found after EarlyStoppingHook.

    Args:
        name: Its name in the error.
        settings: Its config.
        awaited: Whether the path of its checkpoint is written into other configs before.

    Raises:
        ValueError: If it is awaited, or may end before it has written one.
    """
    if not stops_early(settings):
        return
    if awaited:
        raise ArgumentError(
            f'{name} has EarlyStoppingHook, so the epoch of its last checkpoint is not known '
            'before, and the configs of its students name that checkpoint. Remove the hook from '
            f'custom_hooks of {name}, or train it before, and name its checkpoint in the configs '
            'of the students (model.teacher.checkpoint).'
        )
    interval = settings.get('default_hooks', {}).get('checkpoint', {'interval': 1}).get('interval')
    most = settings.train_cfg.get('val_interval', 1)
    if interval is None or not 0 < interval <= most:
        raise ArgumentError(
            f'{name} has EarlyStoppingHook, which may end the training before the first checkpoint '
            f'(default_hooks.checkpoint.interval={interval}). Set '
            f'default_hooks.checkpoint.interval={most}, as train_cfg.val_interval.'
        )


def _parsed(value: str) -> str | int:
    return int(value) if value.isdigit() else value
