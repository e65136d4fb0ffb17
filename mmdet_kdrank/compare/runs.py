"""From a plan to the runs that it takes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass

from mmdet_kdrank.jobs import Job

from .jobs import RESULT, Evaluation, SeedTraining
from .plan import Plan


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
