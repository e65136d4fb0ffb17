"""The class output of a detection head, which every supported head declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError
from mmdet_kdrank.ops.suggestions import class_name


@dataclass(frozen=True)
class ClassOutput:
    """The class part of the result of a head's ``forward``.

    Args:
        activation: ``'softmax'`` or ``'sigmoid'``: how the head turns logits into scores.
        num_classes: Number of foreground classes.
        background: Whether a background channel follows the classes.
        kind: ``'logits'``; ``'probabilities'`` for heads whose forward already applies the
            activation; ``'joint'`` for dense heads with box, objectness and classes of a prior in
            one map.
        joint_offset: With ``'joint'``, the number of values of a prior before its classes.
        extra: Number of other values of a RoI or prior after its classes.
        output_index: Index of the class maps in the result of a dense head's ``forward``.
        normalised_later: Whether a dense head passes ``avg_factor=1`` to ``loss_cls`` and divides
            the loss afterwards. Its normaliser is then the number of positives.
        prefixes: Prefix in the log of each kind of class maps that a dense head gives, from
            ``output_index`` on. Each kind is distilled as a head of its own.
        cells: For a dense head without ``prior_generator``: in words, where its cells are. Student
            and teacher must have the same words.

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
    prefixes: tuple[str, ...] = ('',)
    cells: str = ''

    @property
    def channels(self) -> int:
        """Class channels of one RoI or prior, background included."""
        return self.num_classes + int(self.background)

    @property
    def values(self) -> int:
        """All values of one RoI or prior in the output with its classes."""
        return self.joint_offset + self.channels + self.extra

    def class_maps(self, outputs: Sequence) -> list[Tensor]:
        """Return the class maps of a dense head, one a level, (B, A * values, H, W).

        Args:
            outputs: Result of the head's ``forward``: sequences with one map a level.

        Returns:
            The maps of the first of :attr:`prefixes`, then those of the second.

        Raises:
            ValueError: If ``output_index`` is out of range.
        """
        kinds = outputs[self.output_index : self.output_index + len(self.prefixes)]
        if len(kinds) < len(self.prefixes):
            raise ArgumentError(
                f'The head returns {len(outputs)} kinds of maps, and its declaration takes number '
                f'{self.output_index} for the class maps ({self}). Declare the output_index that '
                'its forward really has.'
            )
        return [level for kind in kinds for level in kind]

    def logits(self, output: Tensor) -> Tensor:
        """Return the class logits, (..., channels).

        Args:
            output: Output of the head for each RoI or prior, (..., values).

        Raises:
            ValueError: If there are more or fewer values than declared.
        """
        if output.shape[-1] != self.values:
            raise ArgumentError(
                f'A class output of {output.shape[-1]} values is not the declared {self.values} '
                f'({self}). Declare the values that its forward really returns.'
            )
        if self.values > self.channels:
            output = output[..., self.joint_offset : self.joint_offset + self.channels]
        return self.as_logits(output)

    def as_logits(self, scores: Tensor) -> Tensor:
        """Turn class outputs of any shape into logits, if the head gives probabilities."""
        if self.kind != 'probabilities':
            return scores
        eps = torch.finfo(scores.dtype).eps
        return torch.logit(scores.clamp(eps, 1 - eps))

    def rows(self, level: Tensor) -> Tensor:
        """Return class logits, (B, H * W * A, channels), in MMDetection's order of priors.

        Args:
            level: Class map of one level, (B, A * values, H, W).

        Raises:
            ValueError: If the number of channels is no multiple of the declared values.
        """
        batch, channels, height, width = level.shape
        if channels % self.values:
            raise ArgumentError(
                f'A class map of {channels} channels does not divide into priors of {self.values} '
                f'values ({self}). Declare the values that its forward really returns.'
            )
        return self.logits(level.permute(0, 2, 3, 1).reshape(batch, -1, self.values))


_DECLARATIONS: dict[type, Callable[[nn.Module], ClassOutput]] = {}

DECLARED_IN: dict[str, str] = {}
"""Modules with declarations, by the package whose classes they declare."""


def import_declarations(kind: type) -> None:
    """Import the modules of :data:`DECLARED_IN` that are for a class or one of its bases."""
    packages = {cls.__module__.partition('.')[0] for cls in kind.__mro__}
    for package in packages & DECLARED_IN.keys():
        import_module(DECLARED_IN[package])


def declare_class_output(*head_types: type) -> Callable:
    """Declare the class output of the heads whose forward these classes define.

    A subclass that inherits ``forward`` and ``forward_single`` inherits the declaration. One that
    overrides either must declare its own. The decorated function takes a head and returns its
    :class:`ClassOutput`, or raises TypeError with the reason why the head cannot be distilled.

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
    """Return the class output that the class with the head's ``forward`` declares.

    Args:
        head: A dense head or the bbox head of a RoI head.

    Raises:
        TypeError: If that class has no declaration, because an output is never guessed.
        ValueError: If the declared activation is not that of the head's own prediction.
    """
    import_declarations(type(head))
    owner = next(
        cls
        for cls in type(head).__mro__
        if cls in _DECLARATIONS or {'forward', 'forward_single'} & vars(cls).keys()
    )
    if owner not in _DECLARATIONS:
        raise ArgumentTypeError(
            f'{class_name(type(head))} cannot be distilled: {class_name(owner)}, which defines its '
            'forward, declares no class output (logits or probabilities, softmax or sigmoid, '
            'where the background is). See docs/how_to/extend_family.md. Its attributes suggest '
            f'this line, for you to check and to put below the head: {_proposal(head, owner)}'
        )
    output = _DECLARATIONS[owner](head)
    own = getattr(head, 'use_sigmoid_cls', None)
    if output.kind == 'logits' and own not in (None, output.activation == 'sigmoid'):
        right = 'sigmoid' if own else 'softmax'
        raise ArgumentError(
            f'{class_name(type(head))} is declared with activation={output.activation!r}, and its '
            f'own prediction takes a {right} (use_sigmoid_cls={own}). Declare activation={right!r}.'
        )
    return output


def dense_head(detector: nn.Module) -> nn.Module:
    """Return the box head, or the mask head of a segmentor without boxes (SOLO)."""
    return detector.bbox_head if getattr(detector, 'with_bbox', True) else detector.mask_head


def declared_heads() -> list[str]:
    """Return the names of the classes with a declaration, those that are refused among them."""
    return sorted(map(class_name, _DECLARATIONS))


def _proposal(head: nn.Module, owner: type) -> str:
    """Return Python code that declares the class output that the attributes of a head suggest."""
    loss = getattr(head, 'loss_cls', None)
    sigmoid = getattr(head, 'use_sigmoid_cls', getattr(loss, 'use_sigmoid', False))
    channels = getattr(head, 'cls_out_channels', None)
    background = not sigmoid if channels is None else channels > head.num_classes
    arguments = [
        repr('softmax' if background else 'sigmoid'),
        'head.num_classes',
        f'background={background}',
    ]
    # Without a background a softmax has no use: then the loss takes scores.
    if getattr(loss, 'activated', False) or not (sigmoid or background):
        arguments.append("kind='probabilities'")
    return (
        'from mmdet_kdrank.distillers import ClassOutput, declare_class_output; '
        f'declare_class_output({owner.__name__})(lambda head: ClassOutput({", ".join(arguments)}))'
    )
