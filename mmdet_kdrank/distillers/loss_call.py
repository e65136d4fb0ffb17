"""How a loss is called: with weights, or, where it takes none, with the logits alone."""

from __future__ import annotations

import inspect

from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError
from mmdet_kdrank.structures.samples import DistillSamples


def takes_weights(loss: nn.Module) -> bool:
    """Tell how the signature of a loss wants it to be called.

    Args:
        loss: A loss; with ``requires_labels`` it gets ``labels`` too.

    Returns:
        True for ``loss(pred, soft_label, weight=…, avg_factor=…)``, False for
        ``loss(pred, soft_label)``.

    Raises:
        TypeError: If its ``forward`` takes neither.
        ValueError: If it takes no weights and its ``reduction`` is not a mean.
    """
    signature = inspect.signature(loss.forward)
    keywords = ['weight', 'avg_factor']
    if getattr(loss, 'requires_labels', False):
        keywords.append('labels')
    if _binds(signature, *keywords):
        return True
    name = type(loss).__name__
    # One that takes a weight and no normaliser, say, would be called wrongly without either.
    if signature.parameters.keys() & {*keywords} or 'labels' in keywords or not _binds(signature):
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
    return False


def call_entry(
    name: str,
    loss: nn.Module,
    samples: DistillSamples,
    chosen: DistillSamples,
    avg_factor: float,
    weighted: bool,
) -> Tensor:
    """Call an entry of ``distill_losses`` with what its attributes ask for.

    Args:
        name: Its name, for errors.
        loss: The loss. With ``requires_samples`` it gets ``samples``, else the logits
            of ``chosen``, with ``requires_labels`` the labels too.
        samples: All rows of the head, aligned.
        chosen: Those that the selector chose, with their weights and what they
            count.
        avg_factor: The normaliser, of all ranks.
        weighted: What :func:`takes_weights` said of the loss; any value for one with
            ``requires_samples``.

    Returns:
        The value.

    Raises:
        ValueError: If it asks for labels that there are none of, or :func:`call_loss` refuses.
    """
    labelled = getattr(loss, 'requires_labels', False)
    if labelled and samples.labels is None:
        raise ArgumentError(
            f'distill_losses.{name}: {type(loss).__name__} needs hard labels, and the '
            "student's head does not pass one label a prior to loss_cls. Choose a loss "
            'that needs none.'
        )
    if getattr(loss, 'requires_samples', False):
        return loss(samples)
    weight, labels = chosen.weights, {}
    if labelled:
        known = (chosen.labels >= 0) & (chosen.labels < chosen.student.shape[1])
        weight, labels = weight * known, {'labels': chosen.labels.where(known, 0)}
    logits = chosen.student, chosen.teacher
    return call_loss(
        name, loss, *logits, weight, avg_factor, chosen.avg_factor, weighted=weighted, **labels
    )


def call_loss(
    name: str,
    loss: nn.Module,
    pred: Tensor,
    soft_label: Tensor,
    weight: Tensor,
    avg_factor: float,
    count: float | None = None,
    *,
    weighted: bool,
    **labels: Tensor,
) -> Tensor:
    """Call a loss so that its value is ``sum(weight * rows) / avg_factor``, or refuse to.

    A loss that takes no weights gives the mean over the rows. That is the same thing, up to a known
    factor, where every weight is 1 and the rows count as many as they are, and nowhere else.

    Args:
        name: Its name in ``distill_losses``, for errors.
        loss: The loss.
        pred: Student logits, (N, C).
        soft_label: Teacher logits, (N, C).
        weight: Factor on each row, (N,).
        avg_factor: What the sum is divided by, not 0.
        count: What the rows themselves count in it, beside those of other ranks.
            Defaults to ``avg_factor``.
        weighted: What :func:`takes_weights` said of the loss.
        **labels: ``labels``, (N,), for a loss that requires them.

    Returns:
        The value; for a loss that takes no weights, zero with a graph where N is 0.

    Raises:
        ValueError: If the loss takes no weights, and they are not all 1, the rows do not count N,
            or its value is no scalar.
    """
    if weighted:
        return loss(pred, soft_label, weight=weight, avg_factor=avg_factor, **labels)
    if not len(pred):
        return pred.sum()
    count = avg_factor if count is None else count
    # Asked of the device for such losses alone.
    if count != len(pred) or not weight.eq(1).all():
        raise ArgumentError(
            f'distill_losses.{name}: {type(loss).__name__} takes no weight and no avg_factor, so '
            f'it averages the {len(pred)} rows, and the selector wants their weighted sum divided '
            f'by {count:g}. Choose a selector whose rows all count 1, '
            "selector=dict(type='TopkSamples') or 'PositiveSamples', or register a subclass of the "
            'loss whose forward takes weight and avg_factor.'
        )
    value = loss(pred, soft_label)
    if value.dim():
        raise ArgumentError(
            f'distill_losses.{name}: {type(loss).__name__} takes no weight and no avg_factor, so '
            f'it must give the mean of the {len(pred)} rows, a scalar, and its value has shape '
            f'{tuple(value.shape)}. Set its reduction, or register a subclass that reduces it.'
        )
    return value * (len(pred) / avg_factor)


def _binds(signature: inspect.Signature, *keywords: str) -> bool:
    """Whether two positional arguments and these keywords make a call."""
    try:
        signature.bind(None, None, **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True
