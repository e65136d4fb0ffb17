"""A finished training, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from mmengine.config import Config

from mmdet_kdrank.errors import ArgumentError, MissingFileError
from mmdet_kdrank.teachers.teacher import Teacher, TeacherSource


@dataclass(frozen=True)
class FinishedRun:
    """A folder that ``tools/train.py`` has filled.

    Args:
        work_dir: With the config that the training wrote there, and ``last_checkpoint``.
    """

    work_dir: Path

    @property
    def name(self) -> str:
        """Its name in tables and plots."""
        return self.work_dir.resolve().name

    @cached_property
    def config_file(self) -> Path:
        """The whole config that the training ran.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If there are several.
        """
        configs = sorted(self.work_dir.glob('*.py'))
        if not configs:
            raise MissingFileError(
                f'{self.work_dir} has no config, and tools/train.py writes one into the folder of '
                'each training. Give the --work-dir of a training.'
            )
        if len(configs) > 1:
            raise ArgumentError(
                f'{self.work_dir} has several configs ({", ".join(p.name for p in configs)}), of '
                'several trainings, and which one the checkpoint belongs to is not known. Remove '
                'those that it does not belong to.'
            )
        return configs[0]

    @cached_property
    def config(self) -> Config:
        """The same, read."""
        return Config.fromfile(self.config_file)

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint: in the same folder, as after a move, or at the path noted there.

        Raises:
            FileNotFoundError: If there is none.
        """
        note = self.work_dir / 'last_checkpoint'
        named = Path(note.read_text().strip()) if note.is_file() else None
        for path in (self.work_dir / named.name, named) if named else ():
            if path.is_file():
                return path
        reason = f'last_checkpoint names {named}' if named else 'it has no last_checkpoint'
        raise MissingFileError(
            f'{self.work_dir} has no checkpoint: {reason}. Let the training run until it has '
            'written one.'
        )

    def load(self, device: torch.device | str) -> Teacher:
        """Return the detector with its last weights, in eval mode, and its classes."""
        detector = self.source.load()
        detector.model.to(device)
        return detector

    @property
    def source(self) -> TeacherSource:
        """Config and last checkpoint, for runs whose student becomes a teacher."""
        return TeacherSource(str(self.config_file), str(self.checkpoint))

    @property
    def teacher(self) -> TeacherSource | None:
        """Where its teacher comes from; None where it was trained alone."""
        source = self.config.model.get('teacher')
        return TeacherSource.from_config(source.to_dict()) if source else None

    @property
    def distilled(self) -> list[str]:
        """Names of its distillation losses."""
        model = self.config.model
        return [*(model.get('distill_losses') or ()), *(model.get('distill_features') or ())]


def find_teacher(runs: list[FinishedRun], given: Path | None) -> TeacherSource:
    """Return the teacher that runs are set against.

    Args:
        runs: The first one that has a teacher names it.
        given: ``--teacher``, the folder of its training, which has priority.

    Raises:
        ValueError: If nothing names one.
    """
    if given is not None:
        return FinishedRun(given).source
    for run in runs:
        if run.teacher is not None:
            return run.teacher
    raise ArgumentError(
        f'Neither {" nor ".join(run.name for run in runs)} was distilled, so that no teacher is '
        'known. Give the folder of its training with --teacher.'
    )
