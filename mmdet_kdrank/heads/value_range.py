"""Whether the values of a class output are what its declaration says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.heads.class_output import ClassOutput

LEAST = 64
"""Fewest values of a trained sigmoid head that are judged: most of its logits are negative."""

LEAST_COLUMNS = 20
"""Fewest columns of a fresh sigmoid head that are judged. Its rows are alike, so that each column
is positive or negative as a whole, by chance."""


def check_logits_range(side: str, output: ClassOutput, logits: Tensor) -> None:
    """Refuse class logits that look like probabilities.

    Args:
        side: ``'student'`` or ``'teacher'``, for the message.
        output: The declaration.
        logits: Values that were read by it, (N, C).

    Raises:
        ValueError: If all are in [0, 1], differ, and are declared as logits. Those of a softmax
            must also add up to 1 in each row. Those of a student's sigmoid need enough columns.
    """
    if output.kind == 'probabilities' or logits.numel() < LEAST:
        return
    logits = logits.detach().float()
    low, high = map(float, logits.aminmax())
    # A head that begins with weights of 0 gives one value everywhere.
    if not 0 <= low < high <= 1:
        return
    if output.activation == 'softmax':
        found = bool((logits.sum(1) - 1).abs().max() < 1e-2)
    else:
        found = side == 'teacher' or logits.shape[1] >= LEAST_COLUMNS
    if found:
        raise ArgumentError(
            f"The {side}'s class output is declared as kind={output.kind!r}, and on this batch all "
            f'{logits.numel()} values lie between 0 and 1 ({low:.3g} to {high:.3g}): they are '
            f"probabilities already. Declare kind='probabilities' in {output}."
        )


def check_probabilities(side: str, output: ClassOutput, tensors: Sequence[Tensor]) -> None:
    """Refuse values outside [0, 1] that are declared probabilities.

    Args:
        side: ``'student'`` or ``'teacher'``, for the message.
        output: The declaration.
        tensors: Tensors with that output, (N, values) or (B, A * values, H, W).

    Raises:
        ValueError: If a value is outside, and they are declared as probabilities.
    """
    if output.kind != 'probabilities':
        return
    raw = replace(output, kind='logits')
    for tensor in tensors:
        rows = raw.rows(tensor) if tensor.dim() == 4 else raw.logits(tensor)
        # Not so of NaN, which is reported elsewhere.
        if rows.numel() and (rows.min() < 0 or rows.max() > 1):
            raise ArgumentError(
                f"The {side}'s class output is declared as kind='probabilities', and on this batch "
                f'values lie between {float(rows.min()):.3g} and {float(rows.max()):.3g}. Declare '
                f"kind='logits' in {output}."
            )
