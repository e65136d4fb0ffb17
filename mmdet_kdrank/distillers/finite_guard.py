"""Stopping at values that are not finite, or leaving them out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmdet_kdrank.distributed import on_any_rank, reports_of_all_ranks
from mmdet_kdrank.errors import NonFiniteError
from mmdet_kdrank.ops.checks import check_choice, describe_nonfinite

Side = Literal['student', 'teacher', 'loss']


@dataclass(frozen=True)
class Checked:
    """A tensor that must be finite.

    Args:
        side: Whose fault it is: the student's, the teacher's, or that of a distillation loss.
        name: Its name in the message.
        tensor: A tensor of any shape and dtype.
    """

    side: Side
    name: str
    tensor: Tensor


@dataclass(frozen=True)
class Fault:
    """The first of several tensors that holds an inf or NaN.

    Args:
        side: Side of the tensor.
        text: ``'2 of 4 values of NAME are not finite'``.
    """

    side: Side
    text: str


def first_fault(checked: Sequence[Checked]) -> Fault | None:
    """Return the first tensor with an inf or NaN; None if all values are finite."""
    text = describe_nonfinite({item.name: item.tensor for item in checked})
    if text is None:
        return None
    return Fault(next(c.side for c in checked if not c.tensor.isfinite().all()), text)


def weight_fault(model: nn.Module, side: Side) -> Fault | None:
    """Return the first parameter or buffer of a model that is not finite.

    Args:
        model: The model.
        side: Its side, for the message.
    """
    return first_fault(
        [
            Checked(side, f"the {side}'s weight {name}", value)
            for name, value in model.state_dict().items()
        ]
    )


class FiniteGuard:
    """Stops at values that are not finite, or leaves them out and counts.

    With ``'skip'``, a fault in the teacher's values or in a distillation loss concerns that head or
    the features. Their distillation losses are 0 in this iteration. A fault in the student's values
    sets all losses to 0, because the student's own losses use the same values. Momentum and weight
    decay still update the weights then. Every skip logs a warning. Weights that are not finite
    always stop the run, because no later iteration could be finite.

    All ranks check together, and all raise if one stops. So no rank updates its weights, and none
    waits for gradients that do not come. Skipping concerns the rank with the fault alone.

    Args:
        action: ``'raise'`` or ``'skip'``.

    Raises:
        ValueError: If the action is neither.
    """

    def __init__(self, action: str) -> None:
        check_choice('on_nonfinite', action, ('raise', 'skip'))
        self.action = action
        self.skipped = 0
        self._faults: list[Fault] = []

    def passes(
        self,
        checked: Sequence[Checked],
        models: dict[Side, nn.Module],
        causes: Callable[[], Sequence[Checked]] = tuple,
    ) -> bool:
        """Return whether logits and losses are finite.

        Args:
            checked: The tensors to check.
            models: Models whose weights may be the cause, by side.
            causes: Returns more tensors, which are named first if ``checked`` has a fault.

        Raises:
            FloatingPointError: If they are not, and the action is ``'raise'`` or a weight is not
                finite either; on this rank or on another.
        """
        fault = first_fault(checked)
        stops = fault is not None
        if fault is not None:
            weight_faults = [weight_fault(model, side) for side, model in models.items()]
            weights = [weight.text for weight in weight_faults if weight]
            fault = first_fault(causes()) or fault
            fault = Fault(fault.side, '; '.join([fault.text, *weights]))
            stops = self.action == 'raise' or bool(weights)
        # Also called without a fault, because the other ranks wait for the answer.
        if on_any_rank(stops):
            raise NonFiniteError(
                f'{reports_of_all_ranks(fault.text if stops else None)}. Nothing was updated in '
                'this iteration. Lower the learning rate, clip gradients, or check the teacher '
                'checkpoint. Where no weight is at fault, such iterations can be left out: '
                "on_nonfinite='skip'."
            )
        if fault is not None:
            self._faults.append(fault)
        return fault is None

    def settle(self, losses: dict[str, Any], student: nn.Module) -> dict[str, Any]:
        """Return the losses of an iteration, after all heads were checked.

        Args:
            losses: All values that the iteration logs.
            student: The student.

        Returns:
            The same values. With ``'skip'`` also ``distill_nonfinite``, the number of iterations so
            far in which something was left out.
        """
        if self.action == 'raise':
            return losses
        faults, self._faults = self._faults, []
        if faults:
            self.skipped += 1
            whole = any(fault.side == 'student' for fault in faults)
            if whole:
                losses = _zero(losses, student)
            print_log(
                f'{"; ".join(fault.text for fault in faults)}. Left out: '
                f'{"the whole iteration" if whole else "the distillation losses named here"}. '
                f'So far this was done in {self.skipped} iterations.',
                logger='current',
                level=logging.WARNING,
            )
        return {**losses, 'distill_nonfinite': torch.tensor(float(self.skipped))}


def _zero(losses: dict[str, Any], student: nn.Module) -> dict[str, Any]:
    """Set all losses to 0, with a graph to every weight that passes through no activation."""
    # Activations would turn a gradient of 0 into NaN. Without a graph, the other ranks would wait
    # for the gradients of this one.
    zero = sum((weight * 0).sum() for weight in student.parameters() if weight.requires_grad)
    names = [name for name in losses if 'loss' in name]
    return {**losses, **dict.fromkeys(names, zero.detach()), names[0]: zero}
