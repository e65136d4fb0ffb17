"""Cutting branches of the teacher that its class logits do not need, such as box regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Logits = Callable[[], Sequence[Tensor]]
"""Runs the classifying part of a model on a small fixed input, and returns its logits."""


class Absent(nn.Module):
    """Replaces a branch that was cut by zeros of its shape, with almost no arithmetic or memory.

    Args:
        channels: Number of channels of the output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        """Turn (B, C, ...) into zeros of (B, channels, ...)."""
        # Heads put an in-place ReLU after a Linear, so vectors need memory. Maps are one value a
        # channel.
        zeros = x.new_zeros(len(x), self.channels, *[1] * (x.dim() - 2))
        return zeros.expand(-1, -1, *x.shape[2:])


def cut_dead_branches(model: nn.Module, logits: Logits) -> list[str]:
    """Replace the modules that run for ``logits`` without affecting them by :class:`Absent`.

    A module is dead if autograd has no path from its parameters to the logits. The largest dead
    modules are replaced first. A replacement stays only if the logits keep every bit, because
    autograd does not see a path through ``detach`` or a comparison.

    Args:
        model: A frozen model in eval mode, changed in place.
        logits: Returns the logits, a sequence of tensors of any shape. Without any, nothing is
            cut.

    Returns:
        Names of the modules that were cut.
    """
    with torch.no_grad():
        expected = logits()
    cut: list[str] = []
    for name, stand_in in (_candidates(model, logits) if expected else {}).items():
        if name.startswith(tuple(f'{outer}.' for outer in cut)):
            continue
        owner_name, _, attribute = name.rpartition('.')
        owner = model.get_submodule(owner_name)
        original = getattr(owner, attribute)
        setattr(owner, attribute, stand_in)
        if _reproduces(logits, expected):
            cut.append(name)
        else:
            setattr(owner, attribute, original)
    return cut


def _candidates(model: nn.Module, logits: Logits) -> dict[str, Absent]:
    """Return dead modules that an :class:`Absent` can replace, by name, outer before inner."""
    calls: dict[nn.Module, list[tuple[Any, Any]]] = {}

    def record(module: nn.Module, args: tuple, output: Any) -> None:
        calls.setdefault(module, []).append((args[0] if args else None, output))

    parameters = list(model.parameters())
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]
    handles = [module.register_forward_hook(record) for module in model.modules()]
    try:
        model.requires_grad_(True)
        with torch.enable_grad():
            total = sum(level.sum() for level in logits())
        if not total.requires_grad:
            return {}
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
        for handle in handles:
            handle.remove()
    alive = {p for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None}
    return {
        name: stand_in
        for name, module in model.named_modules()
        if module in calls and alive.isdisjoint(module.parameters())
        if next(module.parameters(), None) is not None
        if (stand_in := _stand_in(calls[module])) is not None
    }


def _stand_in(calls: list[tuple[Any, Any]]) -> Absent | None:
    """Return an :class:`Absent` with the output shapes of these calls; None if there is none."""
    if not all(isinstance(value, Tensor) and value.dim() > 1 for call in calls for value in call):
        return None
    absent = Absent(calls[0][1].shape[1]).eval()
    return absent if all(absent(x).shape == output.shape for x, output in calls) else None


def _reproduces(logits: Logits, expected: Sequence[Tensor]) -> bool:
    try:
        with torch.no_grad():
            return all(map(torch.equal, logits(), expected))
    except Exception:
        # The same call has just run with the original module, so the stand-in is the cause.
        return False
