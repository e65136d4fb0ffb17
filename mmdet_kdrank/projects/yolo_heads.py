"""Declarations of MMYOLO's heads, wherever a project has them.

These heads leave the forward to a ``head_module``, and return its result. A module of another
project inside such a head needs a declaration of its own, as a head does.
"""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

from torch import nn

from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.heads.class_output import ClassOutput, class_output, declare_class_output

_HEADS = ('PPYOLOEHead', 'RTMDetHead', 'YOLOv5Head', 'YOLOv6Head', 'YOLOv8Head', 'YOLOXHead')
_MODULES = (
    *('PPYOLOEHeadModule', 'YOLOv5HeadModule', 'YOLOv6HeadModule', 'YOLOv7HeadModule'),
    *('YOLOv8HeadModule', 'YOLOXHeadModule'),
)


def declare_yolo_heads(dense_heads: ModuleType) -> None:
    """Declare the heads of a module that has MMYOLO's.

    Args:
        dense_heads: The module. Heads that its version lacks are left out.
    """

    def known(*names: str) -> list[type[nn.Module]]:
        return [getattr(dense_heads, name) for name in names if hasattr(dense_heads, name)]

    @declare_class_output(*(head for head in known(*_HEADS) if 'forward' in vars(head)))
    def head(head: nn.Module) -> ClassOutput:
        return class_output(head.head_module)

    @declare_class_output(*known(*_MODULES))
    def module(module: nn.Module) -> ClassOutput:
        """Class logits, without the objectness that some scores are multiplied with."""
        return ClassOutput('sigmoid', module.num_classes, background=False)

    @declare_class_output(*known('RTMDetSepBNHeadModule'))
    def normalised_by_soft_labels(rtmdet: nn.Module) -> ClassOutput:
        # Its normaliser is the sum of soft labels, at least 1.
        return replace(module(rtmdet), normalised_later=True)

    @declare_class_output(*known('YOLOv7p6HeadModule'))
    def module_with_auxiliary_maps(large: nn.Module) -> ClassOutput:
        # In eval mode, as a teacher, it returns the other maps alone.
        if large.use_aux and large.training:
            raise ArgumentTypeError(
                'YOLOv7p6HeadModule cannot be distilled with its auxiliary branch, whose maps it '
                'returns in one list with the others. Set '
                'model.bbox_head.head_module.use_aux=False for the student.'
            )
        return module(large)
