"""A command in a process of its own, done once."""

from __future__ import annotations

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from mmdet_kdrank.files.atomic import replacing
from mmdet_kdrank.runs.provenance import commit


class Job(ABC):
    """A command that leaves files in a folder, and is not run again once it has succeeded.

    Args:
        name: In messages.
        folder: Where it writes.
        after: Jobs that must be done before this one starts.
    """

    kind: str
    """Stem of its log and of the file with its state."""

    def __init__(self, name: str, folder: Path, after: tuple[Job, ...] = ()) -> None:
        self.name = name
        self.folder = folder
        self.after = after
        self._peak_memory = 0.0

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Short hash of all that decides the result."""

    @abstractmethod
    def command(self, root: Path) -> list[str]:
        """Return the command line; ``root`` is the folder with ``tools/``."""

    @abstractmethod
    def clear(self) -> None:
        """Remove the files that this job left with other settings."""

    @abstractmethod
    def progress(self) -> str:
        """Describe its progress in a few words."""

    @cached_property
    def log(self) -> Path:
        """File with the output of the command."""
        return self.folder / f'{self.kind}.log'

    @property
    def state(self) -> dict:
        """``fingerprint``, ``done``, ``starts``, their ``commit``, ``peak_memory`` in MiB."""
        path = self.folder / f'{self.kind}.json'
        return json.loads(path.read_text()) if path.is_file() else {}

    def is_done(self) -> bool:
        """Whether it has succeeded with these settings."""
        return self.state.get('fingerprint') == self.fingerprint and self.state['done']

    def is_outdated(self) -> bool:
        """Whether the folder holds the result, or a part, of this job with other settings."""
        return self.state.get('fingerprint', self.fingerprint) != self.fingerprint

    def start(
        self, root: Path, environment: Mapping[str, str], inherited: tuple[int, ...] = ()
    ) -> subprocess.Popen:
        """Start the command, or resume it where an earlier start of the same job stopped.

        Args:
            root: Folder with ``tools/``.
            environment: Variables added to this process's own.
            inherited: File descriptors that it keeps open.

        Returns:
            The process, in a session of its own: Ctrl-C reaches this process alone, which ends it.
        """
        if self.state.get('fingerprint') != self.fingerprint:
            self.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self.state
        starts = state.get('starts', 0) + 1
        # A run that was resumed with other sources was made by both.
        commits = dict.fromkeys(filter(None, [*(state.get('commit') or '').split(', '), commit()]))
        self._write_state(
            fingerprint=self.fingerprint,
            done=False,
            starts=starts,
            commit=', '.join(commits) or None,
        )
        with self.log.open('ab') as log:
            return subprocess.Popen(
                self.command(root),
                env={**os.environ, 'PYTHONUNBUFFERED': '1', **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=inherited,
            )

    def note_memory(self, resident: float) -> None:
        """Keep the largest resident memory of its process, in MiB."""
        self._peak_memory = max(self._peak_memory, resident)

    def mark_done(self) -> None:
        """Note that it has succeeded."""
        self._write_state(**{**self.state, 'done': True, 'peak_memory': self._peak_memory})

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the log, for an error message."""
        return '\n'.join(self.log.read_text(errors='replace').splitlines()[-lines:])

    def _write_state(self, **state: object) -> None:
        path = self.folder / f'{self.kind}.json'
        with replacing(path) as part:
            part.write_text(json.dumps(state))
