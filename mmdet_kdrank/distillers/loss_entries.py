"""Building the entries of ``distill_losses``."""

from __future__ import annotations

from mmdet.registry import MODELS
from torch import nn

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError, blamed_on


def build_losses(configs: dict[str, dict]) -> nn.ModuleDict:
    """Build the losses under the names that the log will show.

    Args:
        configs (dict[str, dict]): Configs of registered losses by name.

    Returns:
        nn.ModuleDict: The losses by name.

    Raises:
        ValueError: If a name does not contain ``loss``, or a loss has weights of its own.
        KDRankError: What building a loss raises, with its name in front.
    """
    if not isinstance(configs, dict):
        raise ArgumentTypeError(
            f'distill_losses={configs!r} must be a dict of losses by name: give, say, '
            "dict(loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1))."
        )
    losses = nn.ModuleDict()
    for name, config in configs.items():
        if 'loss' not in str(name) or '.' in str(name):
            raise ArgumentError(
                f'distill_losses.{name}: MMEngine adds up only names that contain "loss", and dots '
                'are for stages, so this entry would never be trained. Rename it, say '
                f'loss_{str(name).replace(".", "_")}.'
            )
        with blamed_on(f'distill_losses.{name}', 'Correct the type or the argument.'):
            losses[name] = MODELS.build(config)
        if losses[name].state_dict() or list(losses[name].parameters()):
            raise ArgumentError(
                f'distill_losses.{name}: {type(losses[name]).__name__} has weights of its own, '
                "which would be written into the student's checkpoint. Use a loss without."
            )
    return losses
