"""The entries of ``distill_losses``, and how each loss is called.

A loss is called on the rows that the selector chose. :func:`entry_type` picks the call when the
loss is built:

- ``loss(pred, soft_label, weight=…, avg_factor=…)``, and ``labels=…`` with ``requires_labels``;
- ``loss(pred, soft_label)`` for a loss that takes no weights and averages its rows;
- ``loss(samples)`` on all rows of the head, with ``requires_samples``.
"""

from __future__ import annotations

import inspect
from dataclasses import replace

from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError
from mmdet_kdrank.ops.checks import blamed_on
from mmdet_kdrank.ops.suggestions import quoted_numbers
from mmdet_kdrank.scopes import build
from mmdet_kdrank.structures.samples import DistillSamples

# The losses of this package say what they compare; losses of other packages may be either.
_ARGUMENT_OF = {'logits': 'distill_losses', 'features': 'distill_features'}


class LossEntry:
    """A loss that takes weights and a normaliser.

    Args:
        name: Its name in ``distill_losses``, for the log and for errors.
        loss: The loss.
    """

    compares_rows_alone = True
    """Whether the value is a sum over rows, so that groups of rows have shares of it."""

    share: dict | None = None
    """A ``loss_weight`` that is a share of another entry's gradient."""

    def __init__(self, name: str, loss: nn.Module) -> None:
        self.name = name
        self.loss = loss

    @property
    def min_columns(self) -> int:
        """Fewest columns of logits on which the loss is defined: 2 unless it says otherwise."""
        return getattr(self.loss, 'min_columns', 2 if self.compares_rows_alone else 1)

    def __call__(
        self, head: DistillSamples, chosen: DistillSamples, avg_factor: float | Tensor
    ) -> Tensor:
        """Compute ``sum(weight * rows) / avg_factor``, a scalar.

        Args:
            head: All rows of a head, aligned.
            chosen: The rows that the selector chose, with their weights and their normaliser.
            avg_factor: The normaliser of all ranks, not 0.

        Raises:
            ValueError: If the loss needs values that the rows do not have.
        """
        return self.loss(
            chosen.student, chosen.teacher, weight=chosen.weights, avg_factor=avg_factor
        )

    def only(self, chosen: DistillSamples, mask: Tensor) -> DistillSamples:
        """Return rows such that those outside ``mask``, (N,) bool, add nothing to the value."""
        return replace(chosen, weights=chosen.weights * mask)

    def require_labels(self, head: DistillSamples) -> None:
        """Raise ValueError if the student's head gives no labels."""
        if head.labels is None:
            raise ArgumentError(
                f'distill_losses.{self.name}: {type(self.loss).__name__} needs hard labels, and '
                "the student's head does not pass one label a prior to loss_cls. Choose a loss "
                'that needs none.'
            )


class LabelledEntry(LossEntry):
    """A loss that also takes ``labels``; rows of no distilled class get the weight 0."""

    def __call__(
        self, head: DistillSamples, chosen: DistillSamples, avg_factor: float | Tensor
    ) -> Tensor:
        """Compute the loss on the rows whose label is one of the columns."""
        self.require_labels(head)
        known = (chosen.labels >= 0) & (chosen.labels < chosen.student.shape[1])
        return self.loss(
            chosen.student,
            chosen.teacher,
            weight=chosen.weights * known,
            avg_factor=avg_factor,
            labels=chosen.labels.where(known, 0),
        )


class MeanEntry(LossEntry):
    """A loss that takes no weights and averages its rows.

    Its mean is the weighted sum, up to a known factor, only if every weight is 1 and the normaliser
    is the number of rows. All else is refused.
    """

    def __call__(
        self, head: DistillSamples, chosen: DistillSamples, avg_factor: float | Tensor
    ) -> Tensor:
        """Compute the mean over the rows, rescaled to ``avg_factor``."""
        rows, name = len(chosen.student), type(self.loss).__name__
        if not rows:
            return chosen.student.sum()
        # Only these losses need the weights on the CPU, which costs a synchronisation.
        if chosen.avg_factor != rows or not chosen.weights.eq(1).all():
            raise ArgumentError(
                f'distill_losses.{self.name}: {name} takes no weight and no avg_factor, so it '
                f'averages the {rows} rows. The selector wants their weighted sum divided by '
                f'{chosen.avg_factor:g}. Choose a selector that gives all rows the weight 1, '
                "selector=dict(type='TopkSamples') or 'PositiveSamples', or register a subclass "
                'of the loss whose forward takes weight and avg_factor.'
            )
        value = self.loss(chosen.student, chosen.teacher)
        if value.dim():
            raise ArgumentError(
                f'distill_losses.{self.name}: {name} takes no weight and no avg_factor, so it must '
                f'give the mean of the {rows} rows, a scalar, and its value has shape '
                f'{tuple(value.shape)}. Set its reduction, or register a subclass that reduces it.'
            )
        return value * (rows / avg_factor)

    def only(self, chosen: DistillSamples, mask: Tensor) -> DistillSamples:
        """Return the rows of ``mask``, (N,) bool, alone."""
        return chosen.take(mask.nonzero().squeeze(1))


class SamplesEntry(LossEntry):
    """A loss that compares the rows of a head with each other, whatever the selector chose."""

    compares_rows_alone = False

    def __call__(
        self, head: DistillSamples, chosen: DistillSamples, avg_factor: float | Tensor
    ) -> Tensor:
        """Compute the loss on all rows of the head."""
        if getattr(self.loss, 'requires_labels', False):
            self.require_labels(head)
        return self.loss(head)


def build_entries(configs: dict[str, dict]) -> dict[str, LossEntry]:
    """Build the entries of ``distill_losses``.

    Args:
        configs: Configs of registered losses by name.

    Raises:
        ValueError: If a name or a loss is not acceptable.
        TypeError: If a loss cannot be called.
        KDRankError: If building a loss fails; the message begins with its name.
    """
    check_names(configs, 'distill_losses')
    entries = {}
    for name, config in configs.items():
        with blamed_on(f'distill_losses.{name}', 'Correct the type or the argument.'):
            share = config.get('loss_weight') if isinstance(config, dict) else None
            if isinstance(share, dict):
                config = {key: value for key, value in config.items() if key != 'loss_weight'}
            loss = build_loss(config, 'distill_losses')
            if has_weights(loss):
                raise ArgumentError(
                    f'{type(loss).__name__} has weights of its own, which would be written into '
                    "the student's checkpoint. Use a loss without weights."
                )
            entries[name] = entry_type(loss)(name, loss)
            if isinstance(share, dict):
                entries[name].share = share
    return entries


def entry_type(loss: nn.Module) -> type[LossEntry]:
    """Choose how a loss is called, by its attributes and the signature of its ``forward``.

    Args:
        loss: The loss; ``requires_samples`` and ``requires_labels`` default to False.

    Raises:
        TypeError: If its ``forward`` takes neither weights nor the logits alone.
        ValueError: If it takes no weights and its ``reduction`` is not a mean.
    """
    if getattr(loss, 'requires_samples', False):
        return SamplesEntry
    labelled = getattr(loss, 'requires_labels', False)
    signature = inspect.signature(loss.forward)
    keywords = ['weight', 'avg_factor', *(['labels'] if labelled else [])]
    if _binds(signature, *keywords):
        return LabelledEntry if labelled else LossEntry
    name = type(loss).__name__
    # A loss that takes, say, a weight and no normaliser must not be called without both.
    if signature.parameters.keys() & {*keywords} or labelled or not _binds(signature):
        raise ArgumentTypeError(
            f'{name}.forward{signature} can be called neither as loss(pred, soft_label, '
            f'{", ".join(f"{key}=..." for key in keywords)}) nor as loss(pred, soft_label). '
            'Register a subclass whose forward takes the former.'
        )
    reduction = getattr(loss, 'reduction', 'mean')
    if reduction not in ('mean', 'batchmean'):
        raise ArgumentError(
            f'{name} takes no weight and no avg_factor, so that its own reduction counts, and '
            f'reduction={reduction!r} is no mean over the rows. Set it to a mean.'
        )
    return MeanEntry


def _binds(signature: inspect.Signature, *keywords: str) -> bool:
    """Return whether two positional arguments and these keywords make a valid call."""
    try:
        signature.bind(None, None, **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


def check_names(configs: dict[str, dict], argument: str) -> None:
    """Refuse anything but a dict of losses whose names MMEngine adds up.

    Raises:
        TypeError: If it is no dict.
        ValueError: If a name does not contain ``loss``, or has a dot.
    """
    if not isinstance(configs, dict):
        raise ArgumentTypeError(
            f'{argument}={configs!r} must be a dict of losses by name: give, say, '
            "dict(loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1))."
        )
    for name in map(str, configs):
        if 'loss' not in name or '.' in name:
            raise ArgumentError(
                f'{argument}.{name}: MMEngine adds up only names that contain "loss", and dots '
                'are for stages, so this entry would never be trained. Rename it, say '
                f'loss_{name.replace(".", "_")}.'
            )


def build_loss(config: dict, argument: str) -> nn.Module:
    """Build a registered loss; raise ValueError if it belongs to the other argument."""
    loss = build(MODELS, config)
    has_text = any(isinstance(value, str) for key, value in config.items() if key != 'type')
    if has_text and (fault := quoted_numbers(type(loss), config)):
        raise ArgumentError(fault)
    kind = getattr(loss, 'compares', None)
    if _ARGUMENT_OF.get(kind, argument) != argument:
        raise ArgumentError(
            f'{type(loss).__name__} compares {kind}: name it in {_ARGUMENT_OF[kind]}.'
        )
    return loss


def has_weights(module: nn.Module) -> bool:
    """Return whether a module has parameters, or buffers that are saved."""
    return bool(module.state_dict() or list(module.parameters()))
