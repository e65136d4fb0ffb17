"""Refusing arguments that the student's class does not take, with what was probably meant."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.registry import MODELS
from torch import nn

from mmdet_kdrank.distillers.config_files import KEEP_IMPORTS
from mmdet_kdrank.errors import (
    ArgumentError,
    ArgumentTypeError,
    KDRankError,
    UnknownNameError,
)
from mmdet_kdrank.heads.declarations import reason_against_arguments
from mmdet_kdrank.ops.suggestions import class_name, did_you_mean, reason_of

OWN_DETECTOR = {'TridentRoIHead': 'TridentFasterRCNN', 'SparseRoIHead': 'SparseRCNN'}
"""Heads of MMDetection that need a detector of their own, although its arguments are the same."""

KEEP_CLASS = "Keep the stock config's own class with student_type={{_base_.model.type}}."


def check_arguments(distiller: type, student: type[nn.Module], kwargs: dict[str, Any]) -> None:
    """Refuse arguments for another class than the student's.

    Args:
        distiller: The distilling class.
        student: The student's own class: the next one of the constructors.
        kwargs: The arguments that are left for it.

    Raises:
        TypeError: If the student's class does not take one, or a head is no dict.
        ValueError: If they belong to a detector that cannot be distilled.
    """
    parameters = inspect.signature(student.__init__).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    wrong = set() if takes_any else kwargs.keys() - parameters.keys()
    if wrong and (reason := reason_against_arguments(wrong)):
        raise ArgumentError(f'This is the config of a detector that cannot be distilled: {reason}.')
    for key in sorted(wrong):
        if hint := did_you_mean(key, _options(distiller)):
            raise ArgumentTypeError(f'{distiller.__name__} takes no argument {key}.{hint}')
    for key, value in kwargs.items():
        if key.endswith('_head') and isinstance(value, (list, tuple)):
            raise ArgumentTypeError(
                f'{key} is a {type(value).__name__} of {len(value)} heads, as CO-DETR '
                'has them, and which of them the student shall learn with is not defined. A '
                'detector with one such head, a dict, can be distilled.'
            )
    head = (kwargs.get('roi_head') or {}).get('type')
    head = head.split('.')[-1] if isinstance(head, str) else getattr(head, '__name__', None)
    own = MODELS.get(OWN_DETECTOR[head]) if head in OWN_DETECTOR else student
    if not issubclass(student, own):
        raise ArgumentTypeError(
            f'{head} needs a {class_name(own)}, not a {class_name(student)}. {KEEP_CLASS}'
        )
    if wrong:
        names = ', '.join(sorted(wrong))
        advice = _other_family(student, wrong) or KEEP_CLASS
        if distiller.family is not student:
            hints = [did_you_mean(key, parameters) for key in sorted(wrong)]
            advice = ' '.join(filter(None, hints)).strip() or 'Leave it out.'
        raise ArgumentTypeError(f'{class_name(student)} takes no argument {names}. {advice}')


@contextmanager
def unknown_types_explained() -> Iterator[None]:
    """Context in which an unknown type of the student is told with what may be missing."""
    try:
        yield
    except KeyError as error:
        if isinstance(error, KDRankError) or ' registry. ' not in str(error):
            raise
        raise UnknownNameError(
            f'{reason_of(error)} If a base config names its module in custom_imports, keep that '
            f'list: {KEEP_IMPORTS}'
        ) from error


def _other_family(student: type[nn.Module], wrong: set[str]) -> str:
    """Return which distiller a config with these arguments is for; empty if it is not known."""
    if issubclass(student, TwoStageDetector) and 'bbox_head' in wrong:
        masks = 'mask_head' in wrong
        kind = 'InstanceSegmentor' if masks else 'Detector'
        return f"This is a single-stage config: use type='DistillSingleStage{kind}'."
    if 'roi_head' in wrong:
        return "This is a two-stage config: use type='DistillTwoStageDetector'."
    if student is SingleStageDetector and wrong == {'mask_head'}:
        return (
            'This is a single-stage config with masks: use '
            "type='DistillSingleStageInstanceSegmentor'."
        )
    return ''


def _options(distiller: type) -> set[str]:
    """Return the arguments that the distilling classes take themselves."""
    owners = [cls for cls in distiller.__mro__ if cls.__module__.startswith(__package__)]
    return {
        name
        for owner in owners
        if '__init__' in vars(owner)
        for name, parameter in inspect.signature(owner.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
