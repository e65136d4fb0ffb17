"""Checks of arguments and tensors: each error names the argument and the fix."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from mmdet_kdrank.errors import (
    ArgumentError,
    ArgumentTypeError,
    KDRankError,
    MissingFileError,
    UnknownNameError,
)
from mmdet_kdrank.ops.suggestions import did_you_mean, reason_of


def check_choice(argument: str, value: str, known: Iterable[str]) -> None:
    """Raise ValueError unless ``value`` is one of ``known``."""
    known = sorted(known)
    if value not in known:
        raise ArgumentError(
            f'{argument}={value!r} is unknown; choose one of {", ".join(known)}.'
            f'{did_you_mean(value, known)}'
        )


def check_positive(argument: str, value: float) -> None:
    """Raise ValueError unless ``value`` is a positive, finite number."""
    if not (isinstance(value, (int, float)) and 0 < value < math.inf):
        raise ArgumentError(f'{argument}={value!r} must be a positive, finite number.')


def check_number(argument: str, value: float) -> None:
    """Raise ValueError unless ``value`` is a finite number."""
    if not (isinstance(value, (int, float)) and math.isfinite(value)):
        raise ArgumentError(f'{argument}={value!r} must be a finite number.')


def check_count(argument: str, value: int, least: int = 1) -> None:
    """Raise ValueError unless ``value`` is a whole number of at least ``least``."""
    if not (isinstance(value, int) and value >= least):
        raise ArgumentError(f'{argument}={value!r} must be a whole number of at least {least}.')


def check_logits(student: Tensor, teacher: Tensor, names: Iterable[str], least: int = 2) -> None:
    """Check a pair of (N, C) logit tensors.

    Args:
        student: Logits that are trained.
        teacher: Logits to follow.
        names: What the caller calls the two.
        least: Smallest number of columns.

    Raises:
        TypeError: If one is no tensor or has no floating dtype.
        ValueError: If one is not (N, C) with C >= ``least``, or they differ in shape or device.
    """
    student_name, teacher_name = names
    for name, value in ((student_name, student), (teacher_name, teacher)):
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(
                f'{name} must be a tensor of logits, not {type(value).__name__}.'
            )
        if not value.is_floating_point():
            raise ArgumentTypeError(
                f'{name} has dtype {value.dtype}; logits are floating point. Pass {name}.float(), '
                'and pass scores, not class indices.'
            )
        if value.ndim != 2:
            raise ArgumentError(
                f'{name} has shape {tuple(value.shape)}; it must be (N, C), one row per sample and '
                'one column per class. Flatten the sample axes into the first axis; one sample '
                f'alone is {name}[None].'
            )
    if student.shape != teacher.shape:
        raise ArgumentError(
            f'{student_name} has shape {tuple(student.shape)} and {teacher_name} '
            f'{tuple(teacher.shape)}. Equal rows must be the same sample, and equal columns the '
            'same class: select the common samples and the common classes first.'
        )
    if student.shape[1] < least:
        raise ArgumentError(
            f'{student_name} and {teacher_name} have C = {student.shape[1]} columns; a ranking '
            f'needs at least {least} classes.'
        )
    if student.device != teacher.device:
        raise ArgumentError(
            f'{student_name} is on {student.device} and {teacher_name} on {teacher.device}; move '
            'them to one device.'
        )


def check_mask(mask: Tensor | None, like: Tensor) -> None:
    """Raise TypeError or ValueError unless ``mask`` is None or bool, of the shape of ``like``."""
    if mask is None:
        return
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        tensor = isinstance(mask, Tensor)
        kind, fix = (mask.dtype, 'mask') if tensor else (type(mask).__name__, 'torch.tensor(mask)')
        raise ArgumentTypeError(f'mask must be a bool tensor, not {kind}. Pass {fix} != 0.')
    if mask.shape != like.shape or mask.device != like.device:
        raise ArgumentError(
            f'mask has shape {tuple(mask.shape)} on {mask.device}; the logits have '
            f'{tuple(like.shape)} on {like.device}. Expand a mask of classes to all rows.'
        )


def describe_nonfinite(tensors: dict[str, Tensor]) -> str | None:
    """Name the first tensor that holds an inf or NaN.

    Args:
        tensors: Tensors of any shape and dtype, by their name in the message.

    Returns:
        ``'2 of 4 values of NAME are not finite'``, or None where all values are.
    """
    # The extremes are finite exactly if all values are. So one pass without temporaries and one
    # transfer from the device serve for all tensors. Only a fault costs a second look.
    extremes = [
        bound.isfinite()
        for tensor in tensors.values()
        if tensor.numel() and tensor.is_floating_point()
        for bound in _comparable(tensor.detach()).aminmax()
    ]
    if not extremes or torch.stack(extremes).all():
        return None
    name, tensor = next(item for item in tensors.items() if not item[1].isfinite().all())
    count = int((~tensor.isfinite()).sum())
    return f'{count} of {tensor.numel()} values of {name} are not finite'


def _comparable(tensor: Tensor) -> Tensor:
    # Before version 2.2, torch has no aminmax of float16 on a CPU.
    return tensor.float() if tensor.dtype == torch.float16 and tensor.is_cpu else tensor


_BY_BUILTIN: tuple[tuple[type[Exception], type[KDRankError]], ...] = (
    (KeyError, UnknownNameError),
    (FileNotFoundError, MissingFileError),
    (TypeError, ArgumentTypeError),
    (Exception, ArgumentError),
)


@contextmanager
def blamed_on(setting: str, fix: str) -> Iterator[None]:
    """Context in which every error names the setting that caused it.

    Args:
        setting: As users write it, ``distill_losses.loss_kd``.
        fix: What to do, a sentence; the errors of this package contain their fix already.

    Raises:
        KDRankError: In place of the original error. It has the same builtin class if that is
            KeyError, FileNotFoundError or TypeError; otherwise it is an ArgumentError.
    """
    try:
        yield
    except KDRankError as error:
        raise type(error)(f'{setting}: {error}') from error
    except Exception as error:
        error_class = next(kind for builtin, kind in _BY_BUILTIN if isinstance(error, builtin))
        raise error_class(f'{setting}: {reason_of(error)} {fix}') from error
