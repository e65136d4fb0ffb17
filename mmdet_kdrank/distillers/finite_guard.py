"""What is done about values that are not finite."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmdet_kdrank.distributed import on_any_rank, reports_of_all_ranks
from mmdet_kdrank.errors import NonFiniteError
from mmdet_kdrank.ops.checks import check_choice


def describe_nonfinite(tensors: dict[str, Tensor]) -> str | None:
    """Name the first tensor that holds an inf or NaN.

    Args:
        tensors: Tensors of any shape and dtype, by what the message calls them.

    Returns:
        ``'2 of 4 values of NAME are not finite'``, or None where all values are.
    """
    # Both extremes are finite where all values are: one pass without temporaries, and one transfer
    # from the device for all tensors; which one is at fault is asked only then.
    extremes = [
        bound.isfinite()
        for tensor in tensors.values()
        if tensor.numel() and tensor.is_floating_point()
        for bound in _comparable(tensor.detach()).aminmax()
    ]
    if not extremes or torch.stack(extremes).all():
        return None
    name, tensor = next((n, t) for n, t in tensors.items() if not t.isfinite().all())
    wrong = int((~tensor.isfinite()).sum())
    return f'{wrong} of {tensor.numel()} values of {name} are not finite'


def _comparable(tensor: Tensor) -> Tensor:
    # Before 2.2 torch has no aminmax of float16 on a CPU.
    return tensor.float() if tensor.dtype == torch.float16 and tensor.is_cpu else tensor


def describe_nonfinite_weights(model: nn.Module, owner: str) -> str | None:
    """Return the same for the parameters and buffers of a model.

    Args:
        model: The model.
        owner: Whose weights the message calls them, ``"the student's"``.

    Returns:
        As :func:`describe_nonfinite`.
    """
    return describe_nonfinite(
        {f'{owner} weight {name}': value for name, value in model.state_dict().items()}
    )


class FiniteGuard:
    """Stops at values that are not finite, or leaves them out and counts.

    With ``'skip'``, a fault of the teacher's values or of a distillation loss makes the
    distillation losses of that head, or those on features, 0 in this iteration. One of the
    student's values makes all losses 0, since the student's own come from the same: a step with a
    gradient of 0, which momentum and weight decay still make. A warning tells each one. Weights
    that are not finite stop the run whatever the action, as no later iteration could be finite.

    All ranks ask together, and all raise where one stops: none updates its weights, and none waits
    for gradients that do not come. What is left out, a rank leaves out by itself.

    Args:
        action: ``'raise'`` or ``'skip'``.

    Raises:
        ValueError: If the action is neither.
    """

    def __init__(self, action: str) -> None:
        check_choice('on_nonfinite', action, ('raise', 'skip'))
        self.action = action
        self.skipped = 0
        self._faults: list[str] = []

    def passes(
        self,
        tensors: dict[str, Tensor],
        models: dict[str, nn.Module],
        causes: Callable[[], dict[str, Tensor]] = dict,
    ) -> bool:
        """Whether logits and losses are finite.

        Args:
            tensors: What is looked at, by what the message calls it.
            models: Whose weights may be at fault: ``student``, ``teacher``.
            causes: More tensors, looked at and named first where these have a fault.

        Raises:
            FloatingPointError: If they are not, and the action is ``'raise'`` or a weight is not
                finite either; on this rank or on another.
        """
        fault = describe_nonfinite(tensors)
        stops = fault is not None
        if fault is not None:
            weights = [
                found
                for side, model in models.items()
                if (found := describe_nonfinite_weights(model, f"the {side}'s"))
            ]
            fault = '; '.join([describe_nonfinite(causes()) or fault, *weights])
            stops = self.action == 'raise' or bool(weights)
        # Asked without a fault too: the other ranks wait for the answer.
        if on_any_rank(torch.tensor(stops)):
            raise NonFiniteError(
                f'{reports_of_all_ranks(fault if stops else None)}. Nothing was updated in this '
                'iteration; lower the learning rate, clip gradients, check the teacher checkpoint, '
                "or, where no weight is at fault, leave such iterations out: on_nonfinite='skip'."
            )
        if fault is not None:
            self._faults.append(fault)
        return fault is None

    def settle(self, losses: dict[str, Any], student: nn.Module) -> dict[str, Any]:
        """Losses of an iteration after all heads were asked.

        Args:
            losses: What the iteration logs.
            student: The student.

        Returns:
            The same; with ``'skip'`` also
            ``distill_nonfinite``, the number of iterations so far in which something was left out.
        """
        if self.action == 'raise':
            return losses
        faults, self._faults = self._faults, []
        if faults:
            self.skipped += 1
            whole = any("the student's" in fault for fault in faults)
            if whole:
                losses = _zero(losses, student)
            print_log(
                f'{"; ".join(faults)}. Left out: '
                f'{"the whole iteration" if whole else "the distillation losses named here"}. '
                f'So far this was done in {self.skipped} iterations.',
                logger='current',
                level=logging.WARNING,
            )
        return {**losses, 'distill_nonfinite': torch.tensor(float(self.skipped))}


def _zero(losses: dict[str, Any], student: nn.Module) -> dict[str, Any]:
    """All losses 0, with a graph to every weight that does not pass through any activation."""
    # Through the activations a gradient of 0 would become NaN, and without a graph the other
    # processes would wait for this one's gradients.
    zero = sum((weight * 0).sum() for weight in student.parameters() if weight.requires_grad)
    names = [name for name in losses if 'loss' in name]
    return {**losses, **dict.fromkeys(names, zero.detach()), names[0]: zero}
