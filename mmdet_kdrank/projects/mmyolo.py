"""Declarations of MMYOLO's heads.

Its heads leave the forward to a ``head_module``, and return its result. A module of another project
inside MMYOLO's head needs a declaration of its own, as a head does.
"""

from __future__ import annotations

from mmyolo.models import dense_heads
from torch import nn

from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.heads.class_output import ClassOutput, class_output, declare_class_output


def _known(*names: str) -> list[type[nn.Module]]:
    """Return the classes of these names that the installed version has."""
    return [getattr(dense_heads, name) for name in names if hasattr(dense_heads, name)]


@declare_class_output(*_known('RTMDetHead', 'YOLOv5Head', 'YOLOXHead'))
def _head(head: nn.Module) -> ClassOutput:
    return class_output(head.head_module)


@declare_class_output(
    *_known(
        'PPYOLOEHeadModule',
        'RTMDetSepBNHeadModule',
        'YOLOv5HeadModule',
        'YOLOv6HeadModule',
        'YOLOv7HeadModule',
        'YOLOv8HeadModule',
        'YOLOXHeadModule',
    )
)
def _head_module(module: nn.Module) -> ClassOutput:
    """Class logits, without the objectness that some scores are multiplied with."""
    return ClassOutput('sigmoid', module.num_classes, background=False)


@declare_class_output(*_known('YOLOv7p6HeadModule'))
def _head_module_with_auxiliary_maps(module: nn.Module) -> ClassOutput:
    # In eval mode, as a teacher, it returns the other maps alone.
    if module.use_aux and module.training:
        raise ArgumentTypeError(
            'YOLOv7p6HeadModule cannot be distilled with its auxiliary branch, whose maps it '
            'returns in one list with the others. Set '
            'model.bbox_head.head_module.use_aux=False for the student.'
        )
    return _head_module(module)
