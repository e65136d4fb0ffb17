"""Showing a student's batch to a teacher, in the teacher's own normalisation."""

from __future__ import annotations

import torch
from mmdet.structures import DetDataSample
from mmengine.model import ImgDataPreprocessor
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops.suggestions import class_name


class TeacherInput:
    """Turns a batch normalised for the student into one normalised for the teacher.

    Normalisation and channel order are undone and redone. The padding outside each image's
    ``img_shape`` gets the teacher's value. Images with one dict of annotations, as MMYOLO has them,
    are stacked as they are loaded, so they have no such padding. If both preprocessors agree, the
    batch stays as it is.

    Args:
        student: The student's data preprocessor.
        teacher: The teacher's data preprocessor.

    Raises:
        ValueError: If the student's padding does not fit the teacher, or if the normalisation of a
            preprocessor is not known.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        for side, preprocessor in (('student', student), ('teacher', teacher)):
            if not isinstance(preprocessor, ImgDataPreprocessor):
                name = class_name(type(preprocessor))
                raise ArgumentError(
                    f'The {side} has a {name}, whose normalisation is not known, so the teacher '
                    'cannot get images as in its training. Give its '
                    "model config data_preprocessor=dict(type='DetDataPreprocessor', mean=…, "
                    'std=…, …).'
                )
        divisor = teacher.pad_size_divisor
        if student.pad_size_divisor % divisor:
            raise ArgumentError(
                f'The student pads images to multiples of {student.pad_size_divisor}, the teacher '
                f"needs multiples of {divisor}. Set the student's "
                f'data_preprocessor.pad_size_divisor to a multiple of {divisor}.'
            )
        self.student = student
        self.teacher = teacher
        self.identical = _settings(student) == _settings(teacher)

    def __call__(self, inputs: Tensor, data_samples: list[DetDataSample] | dict) -> Tensor:
        """Return the images, (B, 3, H, W), normalised for the teacher.

        Args:
            inputs: Images normalised for the student, (B, 3, H, W).
            data_samples: Their samples, with ``img_shape``, or one dict for all images.
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
        if isinstance(data_samples, dict):
            return images
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
