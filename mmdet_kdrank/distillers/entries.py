"""The entries of ``distill_losses``: how each loss is called, decided once, when it is built."""

from __future__ import annotations

import inspect
from dataclasses import replace

from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError, blamed_on
from mmdet_kdrank.structures.samples import DistillSamples

# What the losses of this package say that they compare; losses of other packages may be either.
_ARGUMENT_OF = {'logits': 'distill_losses', 'features': 'distill_features'}


class LossEntry:
    """A loss that is called as ``loss(pred, soft_label, weight=…, avg_factor=…)``.

    Args:
        name: Its name in ``distill_losses``, for the log and for errors.
        loss: The loss.
    """

    compares_rows_alone = True
    """Whether the value is a sum over rows, so that groups of rows have shares of it."""

    def __init__(self, name: str, loss: nn.Module) -> None:
        self.name = name
        self.loss = loss

    def __call__(self, head: DistillSamples, chosen: DistillSamples, avg_factor: float) -> Tensor:
        """Compute ``sum(weight * rows) / avg_factor``.

        Args:
            head: All rows of a head, aligned.
            chosen: Those that the selector chose, with their weights and what they count.
            avg_factor: The normaliser of all ranks, not 0.

        Returns:
            A scalar.

        Raises:
            ValueError: If the loss needs what the rows do not have.
        """
        return self.loss(
            chosen.student, chosen.teacher, weight=chosen.weights, avg_factor=avg_factor
        )

    def only(self, chosen: DistillSamples, mask: Tensor) -> DistillSamples:
        """Return rows such that those outside ``mask``, (N,) bool, add nothing to the value."""
        return replace(chosen, weights=chosen.weights * mask)

    def require_labels(self, head: DistillSamples) -> None:
        """Raise ValueError where the student's head tells no labels."""
        if head.labels is None:
            raise ArgumentError(
                f'distill_losses.{self.name}: {type(self.loss).__name__} needs hard labels, and '
                "the student's head does not pass one label a prior to loss_cls. Choose a loss "
                'that needs none.'
            )


class LabelledEntry(LossEntry):
    """A loss that also takes ``labels``; rows of no distilled class weigh 0."""

    def __call__(self, head: DistillSamples, chosen: DistillSamples, avg_factor: float) -> Tensor:
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
    """A loss that takes no weights and averages its rows: ``loss(pred, soft_label)``.

    That mean is the weighted sum, up to a known factor, where every weight is 1 and the rows count
    as many as they are. All else is refused.
    """

    def __call__(self, head: DistillSamples, chosen: DistillSamples, avg_factor: float) -> Tensor:
        """Compute the mean over the rows, rescaled to ``avg_factor``."""
        rows, name = len(chosen.student), type(self.loss).__name__
        if not rows:
            return chosen.student.sum()
        # The weights are read from the device for such losses alone.
        if chosen.avg_factor != rows or not chosen.weights.eq(1).all():
            raise ArgumentError(
                f'distill_losses.{self.name}: {name} takes no weight and no avg_factor, so it '
                f'averages the {rows} rows, and the selector wants their weighted sum divided by '
                f'{chosen.avg_factor:g}. Choose a selector whose rows all count 1, '
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
    """A loss that compares the rows of a head with each other: ``loss(samples)``."""

    compares_rows_alone = False

    def __call__(self, head: DistillSamples, chosen: DistillSamples, avg_factor: float) -> Tensor:
        """Compute the loss on all rows of the head, whatever the selector chose."""
        if getattr(self.loss, 'requires_labels', False):
            self.require_labels(head)
        return self.loss(head)


def build_entries(configs: dict[str, dict]) -> dict[str, LossEntry]:
    """Build the entries of ``distill_losses``.

    Args:
        configs: Configs of registered losses by name.

    Returns:
        The entries by name.

    Raises:
        ValueError: If a name or a loss is not acceptable.
        TypeError: If a loss cannot be called.
        KDRankError: What building a loss raises, with its name in front.
    """
    check_names(configs, 'distill_losses')
    entries = {}
    for name, config in configs.items():
        with blamed_on(f'distill_losses.{name}', 'Correct the type or the argument.'):
            loss = build_loss(config, 'distill_losses')
            if has_weights(loss):
                raise ArgumentError(
                    f'{type(loss).__name__} has weights of its own, which would be written into '
                    "the student's checkpoint. Use a loss without."
                )
            entries[name] = entry_type(loss)(name, loss)
    return entries


def entry_type(loss: nn.Module) -> type[LossEntry]:
    """Choose how a loss is called, by what it declares and by its signature.

    Args:
        loss: With ``requires_samples`` it gets all rows, with ``requires_labels`` ``labels`` too.

    Returns:
        The class of its entry.

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
    # One that takes a weight and no normaliser, say, would be called wrongly without either.
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
    """Tell whether two positional arguments and these keywords make a call."""
    try:
        signature.bind(None, None, **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


def check_names(configs: dict[str, dict], argument: str) -> None:
    """Refuse names that MMEngine would not add up, and what is no dict of losses.

    Args:
        configs: Configs of losses by name.
        argument: ``'distill_losses'`` or ``'distill_features'``.

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
    """Build a registered loss.

    Args:
        config: Of the loss.
        argument: ``'distill_losses'`` or ``'distill_features'``.

    Raises:
        ValueError: If the loss belongs to the other argument.
    """
    loss = MODELS.build(config)
    kind = getattr(loss, 'compares', None)
    if _ARGUMENT_OF.get(kind, argument) != argument:
        raise ArgumentError(
            f'{type(loss).__name__} compares {kind}: name it in {_ARGUMENT_OF[kind]}.'
        )
    return loss


def has_weights(module: nn.Module) -> bool:
    """Tell whether a module has parameters, or buffers that are saved."""
    return bool(module.state_dict() or list(module.parameters()))
