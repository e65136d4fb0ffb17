"""Building the entries of ``distill_losses``."""

from __future__ import annotations

from mmdet.registry import MODELS
from torch import nn

from mmdet_kdrank.errors import ArgumentError


def build_losses(configs: dict[str, dict]) -> nn.ModuleDict:
    """Build the losses under the names that the log will show.

    Args:
        configs (dict[str, dict]): Configs of registered losses by name.

    Returns:
        nn.ModuleDict: The losses by name.

    Raises:
        ValueError: If a name does not contain ``loss``, or a loss has weights of its own.
        Exception: What building a loss raises, with its name in front.
    """
    losses = nn.ModuleDict()
    for name, config in configs.items():
        if 'loss' not in name:
            raise ArgumentError(
                f'distill_losses.{name}: MMEngine adds up only names that contain "loss", so this '
                f'entry would never be trained. Rename it, say loss_{name}.'
            )
        try:
            losses[name] = MODELS.build(config)
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise type(error)(f'distill_losses.{name}: {error}') from error
        if losses[name].state_dict() or list(losses[name].parameters()):
            raise ArgumentError(
                f'distill_losses.{name}: {type(losses[name]).__name__} has weights of its own, '
                "which would be written into the student's checkpoint. Use a loss without."
            )
    return losses
