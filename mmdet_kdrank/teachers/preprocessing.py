"""Showing the teacher the student's batch in the teacher's own normalisation."""

from __future__ import annotations

import torch
from mmdet.structures import DetDataSample
from mmengine.model import ImgDataPreprocessor
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError


class TeacherInput:
    """Turns a batch normalised for the student into one normalised for the teacher.

    Normalisation and channel order are undone and redone, and the padding is filled with the
    teacher's value outside each image's ``img_shape``. Where both preprocessors agree, the batch
    itself is handed on.

    Args:
        student: The student's data preprocessor.
        teacher: The teacher's data preprocessor.

    Raises:
        ValueError: If the student's padding does not fit the teacher, or a preprocessor is none
            whose normalisation is known.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        for side, preprocessor in (('student', student), ('teacher', teacher)):
            if not isinstance(preprocessor, ImgDataPreprocessor):
                raise ArgumentError(
                    f'The {side} has a {type(preprocessor).__name__}, whose normalisation is not '
                    'known, so the teacher cannot be shown the image as it was trained. Give its '
                    "model config data_preprocessor=dict(type='DetDataPreprocessor', mean=…, "
                    'std=…, …).'
                )
        if student.pad_size_divisor % teacher.pad_size_divisor:
            raise ArgumentError(
                f'The student pads images to multiples of {student.pad_size_divisor}, the teacher '
                f"needs multiples of {teacher.pad_size_divisor}. Set the student's "
                'data_preprocessor.pad_size_divisor to a multiple of '
                f'{teacher.pad_size_divisor}.'
            )
        self.student = student
        self.teacher = teacher
        self.identical = _settings(student) == _settings(teacher)

    def __call__(self, inputs: Tensor, data_samples: list[DetDataSample]) -> Tensor:
        """Convert a batch.

        Args:
            inputs: Images normalised for the student, (B, 3, H, W).
            data_samples: Their samples, with ``img_shape``.

        Returns:
            Images normalised for the teacher, (B, 3, H, W).
        """
        if self.identical:
            return inputs
        images = inputs
        if hasattr(self.student, 'mean'):
            images = images * self.student.std + self.student.mean
        if self.student._channel_conversion != self.teacher._channel_conversion:
            images = images.flip(1)
        if hasattr(self.teacher, 'mean'):
            images = (images - self.teacher.mean) / self.teacher.std
        elif images is inputs:
            images = images.clone()
        for image, sample in zip(images, data_samples, strict=True):
            height, width = sample.img_shape[:2]
            image[:, height:] = self.teacher.pad_value
            image[:, :, width:] = self.teacher.pad_value
        return images


def _settings(preprocessor: ImgDataPreprocessor) -> tuple:
    statistics = [
        tuple(getattr(preprocessor, name, torch.empty(0)).flatten().tolist())
        for name in ('mean', 'std')
    ]
    return (*statistics, preprocessor._channel_conversion, preprocessor.pad_value)
