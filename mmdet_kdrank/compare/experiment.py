"""From a plan to the runs that it takes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mmdet_kdrank.compare.plan import Plan
from mmdet_kdrank.compare.run_settings import annotation_files
from mmdet_kdrank.compare.student_jobs import RESULT, Evaluation, SeedTraining
from mmdet_kdrank.files.fingerprint import file_sha256
from mmdet_kdrank.runs.job import Job


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
        """Return what the evaluation found."""
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
    data = repr(plan.pictures.manifest()) if plan.pictures else _annotations_of(plan)
    runs: list[Run] = []
    source, before = None, ()
    if plan.teacher is None:
        source = _teacher_of(plan)
    else:
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
    """Return the one teacher that the variants' configs name, None where there is not one."""
    named = [
        teacher for config in plan.variants.values() if (teacher := config.model.get('teacher'))
    ]
    teachers = {(str(each['config']), str(each.get('checkpoint'))) for each in named}
    if len(teachers) != 1 or not isinstance(named[0]['config'], str):
        return None
    config, checkpoint = teachers.pop()
    return dict(
        config=config,
        checkpoint=checkpoint,
        fingerprint=f'{config} {checkpoint} {_content(checkpoint)}',
    )


def _annotations_of(plan: Plan) -> str:
    """Return what identifies the annotation files, which all variants share."""
    return ' '.join(map(_content, annotation_files(next(iter(plan.variants.values())))))


def _content(path: Path | str | None) -> str:
    """Hash of a file; empty for what is none, such as a URL."""
    file = Path(path or '').expanduser()
    return _digest(file, file.stat().st_mtime_ns) if file.is_file() else ''


@cache
def _digest(file: Path, written: int) -> str:
    return file_sha256(file)
