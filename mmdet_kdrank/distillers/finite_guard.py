"""Stopping at values that are not finite, or leaving them out; telling of losses that stay 0."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
        self._silence = Silence()
        self._own: dict[str, Tensor] = {}

    def watch(self, losses: Mapping[str, Any]) -> None:
        """Let the next :meth:`passes` check the student's own losses too, in the same transfer."""
        self._own = dict(_means_of(losses))

    def passes(
        self,
        checked: Sequence[Checked],
        models: dict[Side, nn.Module],
        causes: Callable[[], Sequence[Checked]] = tuple,
    ) -> bool:
        """Return whether logits and losses are finite.

        A fault of the student is named first, because it concerns all losses.

        Args:
            checked: The tensors to check.
            models: Models whose weights may be the cause, by side.
            causes: Returns more tensors, which are named before ``checked`` if there is a fault.

        Raises:
            FloatingPointError: If they are not, and the action is ``'raise'`` or a weight is not
                finite either; on this rank or on another.
        """
        own, self._own = self._own, {}
        together = [Checked('student', 'own losses', torch.stack([*own.values()]))] if own else []
        fault = first_fault([*checked, *together])
        stops = fault is not None
        if fault is not None:
            weight_faults = [weight_fault(model, side) for side, model in models.items()]
            weights = [weight.text for weight in weight_faults if weight]
            named = [Checked('student', f"the student's own {name}", own[name]) for name in own]
            suspects = [*causes(), *checked, *named]
            fault = first_fault(sorted(suspects, key=lambda item: item.side != 'student')) or fault
            fault = Fault(fault.side, '; '.join([fault.text, *weights]))
            stops = self.action == 'raise' or bool(weights)
        # Also called without a fault, because the other ranks wait for the answer.
        if on_any_rank(stops):
            raise NonFiniteError(
                f'{reports_of_all_ranks(fault.text if stops else None)}. Nothing was updated in '
                'this iteration. Lower the learning rate, clip gradients, or check the teacher '
                'checkpoint and the boxes of the training set. Where no weight is at fault, such '
                "iterations can be left out: on_nonfinite='skip'."
            )
        if fault is not None:
            self._faults.append(fault)
        return fault is None

    def settle(
        self, losses: dict[str, Any], student: nn.Module, distilled: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return the losses of an iteration, after all heads were checked.

        Args:
            losses: All values that the iteration logs.
            student: The student.
            distilled: Names of the distillation losses that are expected to be greater than 0.

        Returns:
            The same values. With ``'skip'`` also ``distill_nonfinite``, the number of iterations so
            far in which something was left out.
        """
        if not self._faults:
            self._silence(losses, distilled)
        if self.action == 'raise':
            return losses
        faults, self._faults = self._faults, []
        if faults:
            self.skipped += 1
            whole = any(fault.side == 'student' for fault in faults)
            if whole:
                losses = _zero(losses, student)
            print_log(
                f'{"; ".join(dict.fromkeys(fault.text for fault in faults))}. Left out: '
                f'{"the whole iteration" if whole else "the distillation losses named here"}. '
                f'So far this was done in {self.skipped} iterations.',
                logger='current',
                level=logging.WARNING,
            )
        return {**losses, 'distill_nonfinite': torch.tensor(float(self.skipped))}


class Silence:
    """Tells once of distillation losses that were exactly 0 from the first iteration on.

    It looks at each loss until that is not 0, mostly in one iteration.

    Args:
        iterations: After how many of them.
    """

    def __init__(self, iterations: int = 50) -> None:
        self._left = iterations
        self._iterations = iterations
        self._heard: set[str] = set()

    def __call__(self, losses: Mapping[str, Any], names: Collection[str]) -> None:
        """Look at the losses of an iteration; ``names`` are those that should not be 0."""
        silent = [name for name in names if name not in self._heard]
        if not self._left or not silent:
            return
        self._heard.update(name for name in silent if losses[name].any())
        self._left -= 1
        silent = [name for name in silent if name not in self._heard]
        if not self._left and silent:
            print_log(
                f'Exactly 0 in each of the first {self._iterations} iterations: '
                f'{", ".join(silent)}. So the student learns nothing from the teacher by it. '
                'Either no RoI or anchor is chosen (set selector to one that chooses more, such as '
                'TopkSamples), or loss_weight is 0, or the teacher detects nothing '
                '(teacher.verify=True tells).',
                logger='current',
                level=logging.WARNING,
            )


def _means_of(losses: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Yield the mean of each loss that MMEngine sums, those of a list by name and place."""
    for name, value in losses.items():
        parts = value if isinstance(value, (list, tuple)) else [value]
        for place, part in enumerate(parts):
            if 'loss' in name and isinstance(part, Tensor):
                yield name if part is value else f'{name}[{place}]', part.detach().float().mean()


def _zero(losses: dict[str, Any], student: nn.Module) -> dict[str, Any]:
    """Set all losses to 0, with a graph to every weight that passes through no activation."""
    # Activations would turn a gradient of 0 into NaN. Without a graph, the other ranks would wait
    # for the gradients of this one.
    zero = sum((weight * 0).sum() for weight in student.parameters() if weight.requires_grad)
    names = [name for name in losses if 'loss' in name]
    return {**losses, **dict.fromkeys(names, zero.detach()), names[0]: zero}
