"""Declarations of MMRotate's heads, whose boxes are rotated.

MMRotate builds Rotated Faster R-CNN, Oriented R-CNN, RoI Transformer, Rotated RetinaNet and Rotated
ATSS of heads that inherit the forward of MMDetection's, and so its declaration.
"""

from __future__ import annotations

from dataclasses import replace

from mmrotate.models import dense_heads, detectors, roi_heads
from torch import nn

from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.heads.class_output import ClassOutput, declare_class_output
from mmdet_kdrank.heads.declarations import dense_logits, refuse_detector, roi_logits

_REFINED = (
    'it classifies anchors that it has moved before, and student and teacher move them to other '
    'places'
)
_CROPPED = 'it trains on rotated crops of the images, which the teacher does not see'


def _known(module: object, *names: str) -> list[type[nn.Module]]:
    """Return the classes of these names that the installed version has."""
    return [getattr(module, name) for name in names if hasattr(module, name)]


@declare_class_output(*_known(dense_heads, 'AngleBranchRetinaHead', 'RotatedFCOSHead'))
def _dense_head(head: nn.Module) -> ClassOutput:
    return dense_logits(head)


@declare_class_output(*_known(dense_heads, 'RotatedRTMDetHead', 'RotatedRTMDetSepBNHead'))
def _dense_head_normalised_later(head: nn.Module) -> ClassOutput:
    return replace(dense_logits(head), normalised_later=True)


@declare_class_output(*_known(roi_heads.bbox_heads, 'GVBBoxHead'))
def _roi_head(head: nn.Module) -> ClassOutput:
    return roi_logits(head)


@declare_class_output(*_known(dense_heads, 'H2RBoxHead', 'H2RBoxV2Head'))
def _head_of_crops(head: nn.Module) -> ClassOutput:
    raise ArgumentTypeError(f'{type(head).__name__} cannot be distilled: {_CROPPED}.')


for _detector in _known(detectors, 'H2RBoxDetector', 'H2RBoxV2Detector'):
    refuse_detector(_detector, _CROPPED)
for _detector in _known(detectors, 'RefineSingleStageDetector'):
    refuse_detector(_detector, _REFINED)
