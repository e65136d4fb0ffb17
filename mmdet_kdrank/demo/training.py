"""One training of the demo: `tools/train.py` in a process of its own, resumed where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmengine.config import Config

import mmdet_kdrank
from mmdet_kdrank.analysis.scalars import read_scalars, seconds_per_iteration

_STATE = 'demo.json'


@dataclass(frozen=True, eq=False)
class Training:
    """A config, the options of this demo, and a folder.

    Args:
        name: As tables and plots call it.
        config: Path of the config.
        work_dir: Folder for checkpoints and logs.
        options: ``--cfg-options``.
        depends: What else the result depends on; another text makes it train again.
    """

    name: str
    config: Path
    work_dir: Path
    options: dict[str, str]
    depends: str

    @cached_property
    def settings(self) -> Config:
        """The config with the options of this demo."""
        config = Config.fromfile(self.config)
        # The command line goes through the same parser, which makes numbers of numerals.
        config.merge_from_dict({key: _parsed(value) for key, value in self.options.items()})
        return config

    @property
    def iterations(self) -> int:
        """Length of the training."""
        return self.settings.train_cfg.max_iters

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint, which need not exist yet."""
        return self.work_dir / f'iter_{self.iterations}.pth'

    @property
    def log(self) -> Path:
        """File that takes what the training prints."""
        return self.work_dir / 'train.log'

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of all that decides the result."""
        content = [self.settings.to_dict(), self.depends, mmdet_kdrank.__version__]
        return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:16]

    def is_done(self) -> bool:
        """Whether this very training was finished earlier."""
        return self._state() == {'fingerprint': self.fingerprint, 'done': True}

    def mark_done(self) -> None:
        """Remember that the training ended well."""
        self._write_state(done=True)

    def start(self, root: Path, threads: int, inherited: tuple[int, ...] = ()) -> subprocess.Popen:
        """Start the training, or resume it from its last checkpoint.

        Args:
            root: Checkout with ``tools/``.
            threads: Number of threads that it may use.
            inherited: File descriptors that it keeps open.

        Returns:
            The process, in a session of its own: Ctrl-C reaches the demo alone, which ends it.
        """
        if self._state().get('fingerprint') != self.fingerprint and self.work_dir.exists():
            shutil.rmtree(self.work_dir)
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self._write_state(done=False)
        command = [sys.executable, str(root / 'tools' / 'train.py'), str(self.config)]
        command += ['--work-dir', str(self.work_dir), '--resume', '--cfg-options']
        command += [f'{key}={value}' for key, value in self.options.items()]
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONUNBUFFERED='1')
        with self.log.open('ab') as log:
            return subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=inherited,
            )

    def progress(self) -> str:
        """Say how far the training is, e.g. ``teacher 340/1000, 5:12 left``."""
        records = read_scalars(self.work_dir)
        if not records:
            return f'{self.name}: starting'
        step = records[-1]['step']
        left = round((self.iterations - step) * seconds_per_iteration(records))
        return f'{self.name}: {step}/{self.iterations}, {left // 60}:{left % 60:02d} left'

    def last_words(self, lines: int = 15) -> str:
        """The end of the log, for an error message."""
        return '\n'.join(self.log.read_text(errors='replace').splitlines()[-lines:])

    def _state(self) -> dict:
        path = self.work_dir / _STATE
        return json.loads(path.read_text()) if path.is_file() else {}

    def _write_state(self, done: bool) -> None:
        fresh = self.work_dir / f'{_STATE}.part'
        fresh.write_text(json.dumps({'fingerprint': self.fingerprint, 'done': done}))
        os.replace(fresh, self.work_dir / _STATE)


def _parsed(value: str) -> str | int:
    return int(value) if value.isdigit() else value
