"""Building a distilling detector over the student's own class."""

from __future__ import annotations

import inspect
from typing import Any

from mmdet.registry import MODELS

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError, UnknownNameError
from mmdet_kdrank.heads.declarations import reason_against

OWN_DETECTOR = {'TridentRoIHead': 'TridentFasterRCNN'}
"""Heads of MMDetection whose detector takes its family's arguments but overrides its methods."""


def student_class(distiller: type, student_type: str | None) -> type:
    """Return the class of a distiller over a student's class.

    Args:
        distiller: A registered distilling detector.
        student_type: Registered name of the student's class.

    Returns:
        ``distiller`` itself without a ``student_type``, else a class that derives from both,
        so that what the student's class overrides is kept.

    Raises:
        KeyError: If no detector of that name is registered.
        ValueError: If it is a distiller itself, of another family, or cannot be distilled.
    """
    if student_type is None:
        return distiller
    student = MODELS.get(student_type)
    if student is None:
        raise UnknownNameError(
            f'student_type={student_type!r} is not in the registry of models. Give the type that '
            "the student's stock config has, and import the package that registers it."
        )
    # Any distiller has a family: naming one here is a config that inherits from a distilling one.
    if hasattr(student, 'family'):
        raise ArgumentError(
            f'student_type={student_type!r} is a distilling detector itself. Give the type that '
            "the student's stock config has."
        )
    if reason := reason_against(student):
        raise ArgumentError(f'{student_type} cannot be distilled: {reason}.')
    if not issubclass(student, distiller.family):
        raise ArgumentError(
            f'student_type={student_type!r} is no {distiller.family.__name__}, so '
            f'{distiller.__name__} cannot distil it.'
        )
    return type(f'{distiller.__name__}Over{student.__name__}', (distiller, student), {})


def check_arguments(student: type, kwargs: dict[str, Any]) -> None:
    """Refuse arguments that ask for another class than the one the student is built over.

    Args:
        student: The detector class that a distiller is built over.
        kwargs: Arguments meant for the student's constructor.

    Raises:
        TypeError: If the constructor does not take one of them, or one names a head that only
            works in a detector of its own: what a stock config of such a class looks like when
            ``student_type`` is left out.
    """
    mend = "Keep the stock config's own class with student_type={{_base_.model.type}}."
    head = kwargs.get('roi_head', {}).get('type')
    if head in OWN_DETECTOR and not issubclass(student, MODELS.get(OWN_DETECTOR[head])):
        raise ArgumentTypeError(
            f'{head} needs a {OWN_DETECTOR[head]}, not a {student.__name__}. {mend}'
        )
    parameters = inspect.signature(student.__init__).parameters
    wrong = sorted(set(kwargs) - set(parameters))
    if wrong and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        raise ArgumentTypeError(f'{student.__name__} takes no argument {", ".join(wrong)}. {mend}')
