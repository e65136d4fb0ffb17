"""The entries of ``distill_losses`` and ``distill_features``."""

from __future__ import annotations

from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_kdrank.losses import FeatureDistillLoss, LogitDistillLoss

_OTHER_KIND = {
    'distill_losses': (FeatureDistillLoss, 'features: name it in distill_features'),
    'distill_features': (LogitDistillLoss, 'logits: name it in distill_losses'),
}


def build_losses(configs: dict[str, dict], argument: str) -> nn.ModuleDict:
    """Build the losses under the names that the log will show.

    Args:
        configs (dict[str, dict]): Configs of registered losses by name.
        argument (str): ``'distill_losses'``, or ``'distill_features'``, whose losses may have
            weights of their own.

    Returns:
        nn.ModuleDict: The losses by name.

    Raises:
        ValueError: If a name does not contain ``loss``, a loss has weights that it may not have,
            or it belongs to the other argument.
        Exception: What building a loss raises, with its name in front.
    """
    losses = nn.ModuleDict()
    for name, config in configs.items():
        if 'loss' not in name:
            raise ValueError(
                f'{argument}.{name}: MMEngine adds up only names that contain "loss", so this '
                f'entry would never be trained. Rename it, say loss_{name}.'
            )
        try:
            losses[name] = MODELS.build(config)
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise type(error)(f'{argument}.{name}: {error}') from error
        other, mend = _OTHER_KIND[argument]
        if isinstance(losses[name], other):
            raise ValueError(f'{argument}.{name}: {type(losses[name]).__name__} compares {mend}.')
        if argument == 'distill_losses' and has_weights(losses[name]):
            raise ValueError(
                f'{argument}.{name}: {type(losses[name]).__name__} has weights of its own, '
                "which would be written into the student's checkpoint. Use a loss without."
            )
    return losses


def has_weights(module: nn.Module) -> bool:
    """Whether a module has parameters, or buffers that are saved."""
    return bool(module.state_dict() or list(module.parameters()))


def add_entries(losses: dict[str, Tensor], entries: dict[str, Tensor], argument: str) -> None:
    """Add what the entries of ``argument`` gave to the losses of an iteration.

    Args:
        losses (dict[str, Tensor]): The losses so far, by their names in the log; changed in place.
        entries (dict[str, Tensor]): What is added.
        argument (str): What the error calls the entries.

    Raises:
        ValueError: If a name is taken.
    """
    taken = losses.keys() & entries.keys()
    if taken:
        raise ValueError(
            f"{argument} has {', '.join(sorted(taken))}, a name that the student's own losses "
            'use. Give the entry another name that contains "loss".'
        )
    losses.update(entries)
