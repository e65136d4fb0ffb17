"""What the class output of a detection head is: each supported head declares it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError


@dataclass(frozen=True)
class ClassOutput:
    """The class part of what a head's ``forward`` returns.

    Args:
        activation: ``'softmax'`` or ``'sigmoid'``: how the head turns logits into scores.
        num_classes: Number of foreground classes.
        background: Whether a background channel follows the classes (MMDetection puts it
            last).
        kind: ``'logits'``; ``'probabilities'`` for heads whose forward already applies the
            activation (turned back into logits); ``'joint'`` for dense heads whose one map holds
            box, objectness and class of each prior, class last.
        joint_offset: For ``'joint'``: how many values of a prior precede its classes.
        extra: How many values of a RoI or prior follow its classes and are none.
        output_index: Which element of what a dense head's ``forward`` returns holds the class maps.
        normalised_later: Whether a dense head passes ``avg_factor=1`` to ``loss_cls`` and divides
            what comes out. Its normaliser is then the number of positives.

    Example:
        >>> ClassOutput('softmax', num_classes=80, background=True).channels
        81
    """

    activation: str
    num_classes: int
    background: bool
    kind: str = 'logits'
    joint_offset: int = 0
    extra: int = 0
    output_index: int = 0
    normalised_later: bool = False

    @property
    def channels(self) -> int:
        """Class channels of one RoI or prior, background included."""
        return self.num_classes + int(self.background)

    @property
    def values(self) -> int:
        """All values of one RoI or prior in the output that holds its classes."""
        return self.joint_offset + self.channels + self.extra

    def class_maps(self, outputs: Sequence) -> list[Tensor]:
        """Take the class maps out of what a dense head's ``forward`` returns.

        Args:
            outputs: One element for each kind of map, in it one map a level.

        Returns:
            Class maps, one a level, (B, A * values, H, W).

        Raises:
            ValueError: If there is no such element.
        """
        if self.output_index >= len(outputs):
            raise ArgumentError(
                f'The head returns {len(outputs)} kinds of maps, and its declaration takes number '
                f'{self.output_index} for the class maps ({self}). Declare the output_index of '
                'what its forward really returns.'
            )
        return list(outputs[self.output_index])

    def logits(self, output: Tensor) -> Tensor:
        """Take the class logits out of what the head gives for each RoI or prior.

        Args:
            output: (..., values).

        Returns:
            (..., channels); ``output`` itself where that is all there is.

        Raises:
            ValueError: If there are more or fewer values than declared.
        """
        if output.shape[-1] != self.values:
            raise ArgumentError(
                f'A class output of {output.shape[-1]} values is not the declared {self.values} '
                f'({self}). Declare the head with what its forward really returns.'
            )
        if self.values > self.channels:
            output = output[..., self.joint_offset : self.joint_offset + self.channels]
        return self.as_logits(output)

    def as_logits(self, scores: Tensor) -> Tensor:
        """Turn class outputs of any shape into logits, where the head gives probabilities."""
        if self.kind != 'probabilities':
            return scores
        eps = torch.finfo(scores.dtype).eps
        return torch.logit(scores.clamp(eps, 1 - eps))

    def rows(self, level: Tensor) -> Tensor:
        """Lay one level's class map out with an explicit class axis.

        Args:
            level: Class map of one level, (B, A * values, H, W).

        Returns:
            Class logits, (B, H * W * A, channels): MMDetection's own order of priors.

        Raises:
            ValueError: If the map's channels are no multiple of the declared ones.
        """
        batch, channels, height, width = level.shape
        if channels % self.values:
            raise ArgumentError(
                f'A class map of {channels} channels does not divide into priors of {self.values} '
                f'values ({self}). Declare the head with what its forward really returns.'
            )
        return self.logits(level.permute(0, 2, 3, 1).reshape(batch, -1, self.values))


_DECLARATIONS: dict[type, Callable[[nn.Module], ClassOutput]] = {}


def declare_class_output(*head_types: type) -> Callable:
    """Declare the class output of the heads whose forward these classes define.

    A subclass that inherits ``forward`` and ``forward_single`` inherits the declaration; one that
    overrides either must declare its own. The decorated function takes a head and returns its
    :class:`ClassOutput`, or raises TypeError with the reason why the head cannot be distilled.
    Where the class maps are not the first element of what a dense head's ``forward`` returns, the
    declaration says which (``output_index``).

    Example:
        >>> from mmdet.models import RetinaHead
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
        head: A dense head or the bbox head of a RoI head.

    Returns:
        The declaration of the class that defines the head's forward.

    Raises:
        TypeError: If that class has declared nothing; its output is never guessed.
    """
    owner = next(
        cls
        for cls in type(head).__mro__
        if cls in _DECLARATIONS or {'forward', 'forward_single'} & vars(cls).keys()
    )
    if owner not in _DECLARATIONS:
        known = ', '.join(sorted(cls.__name__ for cls in _DECLARATIONS))
        raise ArgumentTypeError(
            f'{type(head).__name__} cannot be distilled: {owner.__name__}, which defines its '
            'forward, declares no class output (logits or probabilities, softmax or sigmoid, '
            'where the background is). Declare it with '
            f'mmdet_kdrank.distillers.declare_class_output; declared are {known}.'
        )
    return _DECLARATIONS[owner](head)
