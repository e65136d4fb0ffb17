"""Building the entries of ``distill_losses``."""

from __future__ import annotations

from mmdet.registry import MODELS
from torch import nn

from .loss_call import takes_weights


def build_losses(configs: dict[str, dict]) -> nn.ModuleDict:
    """Build the losses under the names that the log will show.

    Args:
        configs (dict[str, dict]): Configs of registered losses by name.

    Returns:
        nn.ModuleDict: The losses by name.

    Raises:
        ValueError: If a name does not contain ``loss``, or a loss has weights of its own.
        TypeError: If a loss cannot be called as :func:`call_loss` does.
        Exception: What building a loss raises, with its name in front.
    """
    losses = nn.ModuleDict()
    for name, config in configs.items():
        if 'loss' not in name:
            raise ValueError(
                f'distill_losses.{name}: MMEngine adds up only names that contain "loss", so this '
                f'entry would never be trained. Rename it, say loss_{name}.'
            )
        try:
            losses[name] = _build(config)
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise type(error)(f'distill_losses.{name}: {error}') from error
    return losses


def _build(config: dict) -> nn.Module:
    loss = MODELS.build(config)
    if loss.state_dict() or list(loss.parameters()):
        raise ValueError(
            f'{type(loss).__name__} has weights of its own, which would be written into the '
            "student's checkpoint. Use a loss without."
        )
    takes_weights(loss)
    return loss
