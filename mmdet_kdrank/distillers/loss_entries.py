"""The entries of ``distill_losses`` and ``distill_features``."""

from __future__ import annotations

from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.distillers.loss_call import takes_weights
from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError, blamed_on

# What the losses of this package say that they compare; others' may be either.
_ARGUMENT_OF = {'logits': 'distill_losses', 'features': 'distill_features'}


def build_losses(configs: dict[str, dict], argument: str) -> nn.ModuleDict:
    """Build the losses under the names that the log will show.

    Args:
        configs: Configs of registered losses by name.
        argument: ``'distill_losses'``, or ``'distill_features'``, whose losses may have
            weights of their own.

    Returns:
        The losses by name.

    Raises:
        ValueError: If a name does not contain ``loss``, a loss has weights that it may not have,
            or it belongs to the other argument.
        TypeError: If a loss on logits cannot be called as :func:`call_entry` does.
        KDRankError: What building a loss raises, with its name in front.
    """
    if not isinstance(configs, dict):
        raise ArgumentTypeError(
            f'{argument}={configs!r} must be a dict of losses by name: give, say, '
            "dict(loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1))."
        )
    losses = nn.ModuleDict()
    for name, config in configs.items():
        if 'loss' not in str(name) or '.' in str(name):
            raise ArgumentError(
                f'{argument}.{name}: MMEngine adds up only names that contain "loss", and dots '
                'are for stages, so this entry would never be trained. Rename it, say '
                f'loss_{str(name).replace(".", "_")}.'
            )
        with blamed_on(f'{argument}.{name}', 'Correct the type or the argument.'):
            losses[name] = _build(config, argument)
    return losses


def _build(config: dict, argument: str) -> nn.Module:
    loss = MODELS.build(config)
    kind = getattr(loss, 'compares', None)
    if _ARGUMENT_OF.get(kind, argument) != argument:
        raise ArgumentError(
            f'{type(loss).__name__} compares {kind}: name it in {_ARGUMENT_OF[kind]}.'
        )
    if argument == 'distill_losses':
        if has_weights(loss):
            raise ArgumentError(
                f'{type(loss).__name__} has weights of its own, which would be written into the '
                "student's checkpoint. Use a loss without."
            )
        if not getattr(loss, 'requires_samples', False):
            takes_weights(loss)
    return loss


def weighted_entries(losses: nn.ModuleDict) -> frozenset[str]:
    """Names of the entries of ``distill_losses`` whose rows are weighted in the call.

    Asked once, after :func:`build_losses`: reading a signature takes longer than a small loss.
    """
    return frozenset(
        name
        for name, loss in losses.items()
        if not getattr(loss, 'requires_samples', False) and takes_weights(loss)
    )


def has_weights(module: nn.Module) -> bool:
    """Whether a module has parameters, or buffers that are saved."""
    return bool(module.state_dict() or list(module.parameters()))


def add_entries(losses: dict[str, Tensor], entries: dict[str, Tensor], argument: str) -> None:
    """Add what the entries of ``argument`` gave to the losses of an iteration.

    Args:
        losses: The losses so far, by their names in the log; changed in place.
        entries: What is added.
        argument: What the error calls the entries.

    Raises:
        ValueError: If a name is taken.
    """
    taken = losses.keys() & entries.keys()
    if taken:
        raise ArgumentError(
            f"{argument} has {', '.join(sorted(taken))}, a name that the student's own losses "
            'use. Give the entry another name that contains "loss".'
        )
    losses.update(entries)
