"""From a plan to the runs that it takes: a training and an evaluation each."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from mmengine.config import Config

from mmdet_kdrank.compare.plan import Plan
from mmdet_kdrank.compare.run_settings import annotation_files, portable_json
from mmdet_kdrank.files.atomic import replacing
from mmdet_kdrank.files.fingerprint import file_sha256, fingerprint
from mmdet_kdrank.runs.job import Job
from mmdet_kdrank.runs.training_job import Training, check_early_stopping

TEACHER = 'teacher'
"""Variant of the run of a plan's teacher."""

RESULT, SAMPLES = 'result.json', 'samples.npz'
# Raised when earlier trainings must not count any more. That there is a new version of the package
# is no reason: each result names its commit.
_TRAINING_FORMAT = '0.1.0'
_FORMAT = 2  # raised with every change of what an evaluation writes


class SeedTraining(Training):
    """A training whose whole config is written alongside its folder, as ``FOLDER.py``.

    Args:
        name: In messages, and the path of its folder in ``base``.
        settings: The whole config.
        base: Folder of the comparison.
        depends: A text of everything else that the result depends on.
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
        """Short hash of all that decides the result, whatever folders the comparison moves to."""
        content = [self.settings.to_dict(), self.depends, _TRAINING_FORMAT]
        return fingerprint(portable_json(content, self._base))

    def command(self, root: Path) -> list[str]:
        """Write the config, and return the command line."""
        self.config.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.config) as part:
            part.write_text(self.settings.pretty_text)
        return super().command(root)


class Evaluation(Job):
    """The last checkpoint of a training on its test set, measured against the teacher.

    Args:
        training: The training.
        teacher: ``config``, ``checkpoint`` and ``fingerprint``; None without a teacher.
        seed: Of the training.
        after: Further jobs that must be done before.
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
        """Name it: it takes little time compared with its training."""
        return self.name


@dataclass(frozen=True)
class Run:
    """One variant with one seed.

    Args:
        variant: Its name.
        seed: Of all its random numbers.
        training: Makes the checkpoint.
        evaluation: Makes the result.
    """

    variant: str
    seed: int
    training: SeedTraining
    evaluation: Evaluation

    @property
    def jobs(self) -> tuple[Job, Job]:
        """Both, in order."""
        return self.training, self.evaluation

    def is_done(self) -> bool:
        """Whether it has its result."""
        return self.training.is_done() and self.evaluation.is_done()

    def result(self) -> dict:
        """Return the content of the evaluation's ``result.json``."""
        return json.loads((self.training.folder / RESULT).read_text())


def runs_of(plan: Plan) -> list[Run]:
    """List the runs of a plan in the order of their start: the teacher, then seed by seed.

    In this order an early stop leaves whole pairs.

    Raises:
        ValueError: If the name of a last checkpoint would not be known.
    """
    for name, config in plan.variants.items():
        check_early_stopping(name, config, awaited=False)
    data = repr(plan.images.manifest()) if plan.images else _annotations_of(plan)
    runs: list[Run] = []
    source, before = None, ()
    if plan.teacher is None:
        source = _teacher_of(plan)
    else:
        check_early_stopping(TEACHER, plan.teacher, awaited=True)
        training = SeedTraining(TEACHER, plan.teacher, plan.folder, data)
        seed = plan.teacher.randomness.seed
        runs.append(Run(TEACHER, seed, training, Evaluation(training, None, seed)))
        source = dict(
            config=str(training.config),
            checkpoint=str(training.checkpoint),
            fingerprint=training.fingerprint,
        )
        before = (training,)
    for seed in plan.seeds:
        for name, config in plan.variants.items():
            settings = deepcopy(config)
            settings.merge_from_dict({'randomness.seed': seed})
            distils, depends = 'teacher' in settings.model, data
            if distils and plan.teacher:
                settings.model.teacher.update(
                    config=source['config'], checkpoint=source['checkpoint']
                )
                depends += source['fingerprint']
            elif distils:
                depends += _content(settings.model.teacher.get('checkpoint'))
            training = SeedTraining(
                f'{name}/seed{seed}', settings, plan.folder, depends, before if distils else ()
            )
            runs.append(Run(name, seed, training, Evaluation(training, source, seed, before)))
    return runs


def _teacher_of(plan: Plan) -> dict[str, str] | None:
    """Return the teacher that the variants' configs name; None where they name none or several."""
    named = list(filter(None, (config.model.get('teacher') for config in plan.variants.values())))
    teachers = {(str(source['config']), str(source.get('checkpoint'))) for source in named}
    if len(teachers) != 1 or not isinstance(named[0]['config'], str):
        return None
    config, checkpoint = teachers.pop()
    return dict(
        config=config,
        checkpoint=checkpoint,
        fingerprint=f'{config} {checkpoint} {_content(checkpoint)}',
    )


def _annotations_of(plan: Plan) -> str:
    """Return the hashes of the annotation files, which all variants share."""
    return ' '.join(map(_content, annotation_files(next(iter(plan.variants.values())))))


def _content(path: Path | str | None) -> str:
    """Return the hash of a file; empty where the path is not a file, but for instance a URL."""
    file = Path(path or '').expanduser()
    return _digest(file, file.stat().st_mtime_ns) if file.is_file() else ''


@cache
def _digest(file: Path, written: int) -> str:
    return file_sha256(file)
