"""What the class output of a detection head is: each supported head declares it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from mmdet.models.dense_heads import (
    ATSSHead,
    FCOSHead,
    GFLHead,
    RetinaHead,
    RetinaSepBNHead,
    SSDHead,
    TOODHead,
    YOLOV3Head,
)
from mmdet.models.roi_heads.bbox_heads import BBoxHead, ConvFCBBoxHead, DoubleConvFCBBoxHead
from torch import Tensor, nn


@dataclass(frozen=True)
class ClassOutput:
    """The class part of what a head's ``forward`` returns.

    Args:
        activation (str): ``'softmax'`` or ``'sigmoid'``: how the head turns logits into scores.
        num_classes (int): Number of foreground classes.
        background (bool): Whether a background channel follows the classes (MMDetection puts it
            last).
        kind (str): ``'logits'``; ``'probabilities'`` for heads whose forward already applies the
            activation (turned back into logits); ``'joint'`` for dense heads whose one map holds
            box, objectness and class of each prior, class last.
        joint_offset (int): For ``'joint'``: how many values of a prior precede its classes.
    """

    activation: str
    num_classes: int
    background: bool
    kind: str = 'logits'
    joint_offset: int = 0

    @property
    def channels(self) -> int:
        """Class channels of one RoI or prior, background included."""
        return self.num_classes + int(self.background)

    def rows(self, level: Tensor) -> Tensor:
        """Lay one level's class map out with an explicit class axis.

        Args:
            level (Tensor): Class map of one level, (B, A * channels, H, W); for ``'joint'``
                (B, A * (joint_offset + channels), H, W).

        Returns:
            Tensor: Class logits, (B, H * W * A, channels): MMDetection's own order of priors.

        Raises:
            ValueError: If the map's channels are no multiple of the declared ones.
        """
        per_prior = self.channels + self.joint_offset
        batch, channels, height, width = level.shape
        if channels % per_prior:
            raise ValueError(
                f'A class map of {channels} channels does not divide into priors of {per_prior} '
                f'values ({self}). Declare the head with what its forward really returns.'
            )
        rows = level.permute(0, 2, 3, 1).reshape(batch, -1, per_prior)
        rows = rows[..., self.joint_offset :]
        if self.kind == 'probabilities':
            eps = torch.finfo(rows.dtype).eps
            rows = torch.logit(rows.clamp(eps, 1 - eps))
        return rows


_DECLARATIONS: dict[type, Callable[[nn.Module], ClassOutput]] = {}


def declare_class_output(*head_types: type) -> Callable:
    """Declare the class output of the heads whose forward these classes define.

    A subclass that inherits ``forward`` and ``forward_single`` inherits the declaration; one that
    overrides either must declare its own. The decorated function takes a head and returns its
    :class:`ClassOutput`. The first element of what a dense head's ``forward`` returns holds the
    class maps, one a level.

    Example:
        >>> from mmdet_kdrank.distillers import ClassOutput, declare_class_output
        >>> class MyHead(RetinaHead):
        ...     def forward_single(self, x): ...
        >>> @declare_class_output(MyHead)
        ... def my_head(head):
        ...     return ClassOutput('sigmoid', head.num_classes, background=False)
    """

    def register(declaration: Callable[[nn.Module], ClassOutput]) -> Callable:
        _DECLARATIONS.update(dict.fromkeys(head_types, declaration))
        return declaration

    return register


def class_output(head: nn.Module) -> ClassOutput:
    """Look up what a head's class output is.

    Args:
        head (nn.Module): A dense head or the bbox head of a RoI head.

    Returns:
        ClassOutput: The declaration of the class that defines the head's forward.

    Raises:
        TypeError: If that class has declared nothing; its output is never guessed.
    """
    owner = next(
        cls for cls in type(head).__mro__ if {'forward', 'forward_single'} & vars(cls).keys()
    )
    if owner not in _DECLARATIONS:
        known = ', '.join(sorted(cls.__name__ for cls in _DECLARATIONS))
        raise TypeError(
            f'{type(head).__name__} cannot be distilled: {owner.__name__}, which defines its '
            'forward, declares no class output (logits or probabilities, softmax or sigmoid, '
            'where the background is). Declare it with '
            f'mmdet_kdrank.distillers.declare_class_output; declared are {known}.'
        )
    return _DECLARATIONS[owner](head)


@declare_class_output(BBoxHead, ConvFCBBoxHead, DoubleConvFCBBoxHead)
def _roi_bbox_head(head: BBoxHead) -> ClassOutput:
    if head.custom_cls_channels:
        raise TypeError(
            f'{type(head).__name__} cannot be distilled with {type(head.loss_cls).__name__}: that '
            'loss adds class channels of its own to num_classes + 1. Use a loss_cls over '
            'num_classes + 1 channels.'
        )
    activation = 'sigmoid' if head.loss_cls.use_sigmoid else 'softmax'
    return ClassOutput(activation, head.num_classes, background=True)


@declare_class_output(ATSSHead, FCOSHead, GFLHead, RetinaHead, RetinaSepBNHead, SSDHead)
def _dense_logits(head: nn.Module) -> ClassOutput:
    activation = 'sigmoid' if head.use_sigmoid_cls else 'softmax'
    return ClassOutput(activation, head.num_classes, background=not head.use_sigmoid_cls)


@declare_class_output(TOODHead)
def _dense_probabilities(head: TOODHead) -> ClassOutput:
    return ClassOutput('sigmoid', head.num_classes, background=False, kind='probabilities')


@declare_class_output(YOLOV3Head)
def _dense_joint(head: YOLOV3Head) -> ClassOutput:
    box_and_objectness = head.num_attrib - head.num_classes
    return ClassOutput(
        'sigmoid',
        head.num_classes,
        background=False,
        kind='joint',
        joint_offset=box_and_objectness,
    )
