"""From a plan to the trainings and evaluations that it takes."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmengine.config import Config

import mmdet_kdrank
from mmdet_kdrank.jobs import Job, Training

from .plan import Plan

RESULT, SAMPLES = 'result.json', 'samples.npz'
_FORMAT = 1  # to be raised with every change of what an evaluation writes


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
        self.__dict__['settings'] = settings
        self._base = base

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of all that decides the result; where the comparison's folder lies does not."""
        content = [self.settings.to_dict(), self.depends, mmdet_kdrank.__version__]
        text = json.dumps(content, default=str).replace(str(self._base), '.')
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def command(self, root: Path) -> list[str]:
        """The command line; its config is written by the way."""
        self.config.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.config.with_suffix('.part')
        fresh.write_text(self.settings.pretty_text)
        os.replace(fresh, self.config)
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
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def command(self, root: Path) -> list[str]:
        """The command line."""
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


@dataclass(frozen=True)
class Run:
    """One variant with one seed.

    Args:
        variant: Its name.
        seed: Of all its random numbers.
        training: What makes the checkpoint.
        evaluation: What makes the result.
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
        """Whether its result is there."""
        return self.training.is_done() and self.evaluation.is_done()

    def result(self) -> dict:
        """What the evaluation found."""
        return json.loads((self.training.folder / RESULT).read_text())


TEACHER = 'teacher'
"""Variant of the run of a plan's teacher."""


def runs_of(plan: Plan) -> list[Run]:
    """List what a plan takes: the teacher, then seed by seed all variants.

    In this order an early stop leaves whole pairs.

    Args:
        plan: What is compared.

    Returns:
        Runs in the order in which they are to be started.
    """
    data = repr(plan.pictures.manifest()) if plan.pictures else ''
    runs: list[Run] = []
    source, before, depends = _teacher_of(plan), (), data
    if plan.teacher:
        training = SeedTraining(TEACHER, plan.teacher, plan.folder, data)
        seed = plan.teacher.randomness.seed
        runs.append(Run(TEACHER, seed, training, Evaluation(training, None, seed)))
        source = dict(
            config=str(training.config),
            checkpoint=str(training.checkpoint),
            fingerprint=training.fingerprint,
        )
        before, depends = (training,), data + training.fingerprint
    for seed in plan.seeds:
        for name, config in plan.variants.items():
            settings = deepcopy(config)
            settings.merge_from_dict({'randomness.seed': seed})
            distils = 'teacher' in settings.model
            if distils and plan.teacher:
                settings.model.teacher.update(
                    config=source['config'], checkpoint=source['checkpoint']
                )
            training = SeedTraining(
                f'{name}/seed{seed}',
                settings,
                plan.folder,
                depends if distils else data,
                before if distils else (),
            )
            runs.append(Run(name, seed, training, Evaluation(training, source, seed, before)))
    return runs


def _teacher_of(plan: Plan) -> dict[str, str] | None:
    """The one teacher that the variants' own configs name; None where there is none, or several."""
    teachers = {
        (str(teacher['config']), str(teacher['checkpoint']))
        for config in plan.variants.values()
        if (teacher := config.model.get('teacher')) and isinstance(teacher['config'], str)
    }
    if len(teachers) != 1:
        return None
    config, checkpoint = teachers.pop()
    return dict(config=config, checkpoint=checkpoint)
