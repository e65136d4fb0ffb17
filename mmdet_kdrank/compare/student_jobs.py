"""The two jobs of a run: its training, and the evaluation of the last checkpoint."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from mmengine.config import Config

from mmdet_kdrank.compare.run_settings import portable_json
from mmdet_kdrank.files.atomic import replacing
from mmdet_kdrank.files.fingerprint import fingerprint
from mmdet_kdrank.runs.job import Job
from mmdet_kdrank.runs.training_job import Training

RESULT, SAMPLES = 'result.json', 'samples.npz'
# Raised when earlier trainings must not count any more. That there is a new version of the package
# is no reason: each result names its commit.
_TRAINING_FORMAT = '0.1.0'
_FORMAT = 2  # raised with every change of what an evaluation writes


class SeedTraining(Training):
    """A training whose whole config is written beside its folder, as ``FOLDER.py``.

    Args:
        name: As messages call it, and the path of its folder in ``base``.
        settings: The whole config.
        base: Folder of the comparison.
        depends: What else the result depends on.
        after: The teacher's training, where one comes first.
    """

    def __init__(
        self,
        name: str,
        settings: Config,
        base: Path,
        depends: str,
        after: tuple[Job, ...] = (),
    ) -> None:
        folder = base / name
        super().__init__(name, folder.with_name(f'{folder.name}.py'), folder, {}, depends, after)
        self.settings = settings
        self._base = base

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of all that decides the result.

        The comparison's folder may be moved, and the one that the command runs in.
        """
        content = [self.settings.to_dict(), self.depends, _TRAINING_FORMAT]
        return fingerprint(portable_json(content, self._base))

    def command(self, root: Path) -> list[str]:
        """Return the command line; its config is written by the way."""
        self.config.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.config) as part:
            part.write_text(self.settings.pretty_text)
        return super().command(root)


class Evaluation(Job):
    """The last checkpoint of a training on its test set, measured against the teacher.

    Args:
        training: Whose checkpoint.
        teacher: ``config``, ``checkpoint`` and what else identifies it; None without.
        seed: Of the training.
        after: Jobs that must be done before, beside the training.
    """

    kind = 'evaluate'

    def __init__(
        self,
        training: SeedTraining,
        teacher: Mapping[str, str] | None,
        seed: int,
        after: tuple[Job, ...] = (),
    ) -> None:
        super().__init__(f'{training.name}, evaluation', training.folder, (training, *after))
        self.training = training
        self.teacher = teacher
        self.seed = seed

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of all that decides the result."""
        teacher = self.teacher and self.teacher.get('fingerprint', [*self.teacher.values()])
        content = [self.training.fingerprint, teacher, _FORMAT]
        return fingerprint(json.dumps(content))

    def command(self, root: Path) -> list[str]:
        """Return the command line."""
        command = [sys.executable, '-m', 'mmdet_kdrank.compare.evaluate', str(self.folder)]
        command += ['--config', str(self.training.config)]
        command += ['--checkpoint', str(self.training.checkpoint), '--seed', str(self.seed)]
        if self.teacher:
            command += ['--teacher', self.teacher['config'], self.teacher['checkpoint']]
        return command

    def clear(self) -> None:
        """Remove an earlier evaluation's files."""
        for name in (RESULT, SAMPLES, f'{self.kind}.json', f'{self.kind}.log'):
            (self.folder / name).unlink(missing_ok=True)

    def progress(self) -> str:
        """Say that it runs: it takes little time beside its training."""
        return self.name
