"""The op in torch.library, which torch.compile and torch.export put into their graphs.

``torch.ops.mmdet_kdrank.kendall_tau`` has the signature of ``tau_and_derivative``. Eager mode does
not use it, because its dispatch costs more than the autograd.Function's.
"""

from typing import Any

import torch
from torch import Tensor

from mmdet_kdrank.ops.derivative import (
    fake_tau_and_derivative,
    fold_batch,
    refuse_second_order,
    scale_direction,
    tau_and_derivative,
)

AVAILABLE: bool = hasattr(torch.library, 'register_vmap')
"""Whether this torch has the interface, from 2.5 on; older ones trace the autograd function."""

_OP = 'mmdet_kdrank::kendall_tau'
_BACKWARD = 'mmdet_kdrank::kendall_tau_backward'


def _backward(ctx: Any, grad_tau: Tensor, *unused: Tensor | None) -> tuple[Tensor | None, ...]:
    return torch.ops.mmdet_kdrank.kendall_tau_backward(grad_tau, *ctx.saved_tensors), *[None] * 9


def _setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor, Tensor]) -> None:
    # The student links a second derivative to its refusal; graphs have no changes in place.
    ctx.save_for_backward(output[1], output[2], inputs[0])


def _fake_backward(grad_tau: Tensor, direction: Tensor, scale: Tensor, like: Tensor) -> Tensor:
    return direction.new_empty(direction.shape, dtype=like.dtype)


def _register() -> None:
    torch.library.define(
        _OP,
        '(Tensor student, Tensor teacher, Tensor? mask, float steepness, str surrogate, '
        'bool exact_teacher, str form, float eps, str backend, bool derivative) '
        '-> (Tensor tau, Tensor direction, Tensor scale)',
    )
    torch.library.impl(_OP, 'default', tau_and_derivative)
    torch.library.register_fake(_OP, fake_tau_and_derivative)
    torch.library.register_autograd(_OP, _backward, setup_context=_setup_context)
    torch.library.register_vmap(
        _OP,
        lambda info, in_dims, *inputs: fold_batch(
            torch.ops.mmdet_kdrank.kendall_tau, info.batch_size, in_dims, inputs
        ),
    )
    torch.library.define(
        _BACKWARD, '(Tensor grad_tau, Tensor direction, Tensor scale, Tensor like) -> Tensor'
    )
    torch.library.impl(_BACKWARD, 'default', scale_direction)
    torch.library.register_fake(_BACKWARD, _fake_backward)
    torch.library.register_autograd(_BACKWARD, refuse_second_order)


if AVAILABLE:
    _register()
