"""What is done about values that are not finite."""

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
        name: What the message calls it.
        tensor: Of any shape and dtype.
    """

    side: Side
    name: str
    tensor: Tensor


@dataclass(frozen=True)
class Fault:
    """The first of several tensors that holds an inf or NaN.

    Args:
        side: That of the tensor.
        text: ``'2 of 4 values of NAME are not finite'``.
    """

    side: Side
    text: str


def first_fault(checked: Sequence[Checked]) -> Fault | None:
    """Find the first tensor that holds an inf or NaN; None where all values are finite."""
    text = describe_nonfinite({item.name: item.tensor for item in checked})
    if text is None:
        return None
    return Fault(next(c.side for c in checked if not c.tensor.isfinite().all()), text)


def weight_fault(model: nn.Module, side: Side) -> Fault | None:
    """Find the first parameter or buffer of a model that is not finite.

    Args:
        model: The model.
        side: Whose weights the message calls them.
    """
    return first_fault(
        [
            Checked(side, f"the {side}'s weight {name}", value)
            for name, value in model.state_dict().items()
        ]
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
        self._faults: list[Fault] = []

    def passes(
        self,
        checked: Sequence[Checked],
        models: dict[Side, nn.Module],
        causes: Callable[[], Sequence[Checked]] = tuple,
    ) -> bool:
        """Tell whether logits and losses are finite.

        Args:
            checked: What is looked at.
            models: Whose weights may be at fault, by side.
            causes: Gives more tensors, which are named first where ``checked`` has a fault.

        Raises:
            FloatingPointError: If they are not, and the action is ``'raise'`` or a weight is not
                finite either; on this rank or on another.
        """
        fault = first_fault(checked)
        stops = fault is not None
        if fault is not None:
            weights = [
                found.text for side, model in models.items() if (found := weight_fault(model, side))
            ]
            fault = first_fault(causes()) or fault
            fault = Fault(fault.side, '; '.join([fault.text, *weights]))
            stops = self.action == 'raise' or bool(weights)
        # Asked without a fault too: the other ranks wait for the answer.
        if on_any_rank(torch.tensor(stops)):
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
        """Return the losses of an iteration, after all heads were asked.

        Args:
            losses: What the iteration logs.
            student: The student.

        Returns:
            The same; with ``'skip'`` also ``distill_nonfinite``, the number of iterations so far in
            which something was left out.
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
    """All losses 0, with a graph to every weight that does not pass through any activation."""
    # Through the activations a gradient of 0 would become NaN, and without a graph the other
    # processes would wait for this one's gradients.
    zero = sum((weight * 0).sum() for weight in student.parameters() if weight.requires_grad)
    names = [name for name in losses if 'loss' in name]
    return {**losses, **dict.fromkeys(names, zero.detach()), names[0]: zero}
