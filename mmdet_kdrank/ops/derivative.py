r"""tau with its derivative, as an autograd function.

Derivation. s_i occurs in a_ij and in a_ji = -a_ij alone; phi' is even and b odd, so

    d/ds_i sum_{i<j} a_ij b_ij = k sum_j phi'(k (s_i - s_j)) b_ij
    d/ds_i sum_{i<j} a_ij^2    = 2 k sum_j phi'(k (s_i - s_j)) a_ij

and, for one surrogate of the product of both differences,

    d/ds_i sum_{i<j} phi_k(ds_ij dt_ij) = k sum_j phi'(k ds_ij dt_ij) dt_ij

The forward pass computes every factor of these lines, pair by pair, and does not keep them. So it
also computes the derivative of tau, (N, C), and keeps it as a direction (N, C) and a scale (N,).
Backward multiplies it by the incoming (N,) gradient.
"""

from typing import Any

import torch
from torch import Tensor

from mmdet_kdrank.errors import StateError
from mmdet_kdrank.ops.backends import PairRequest, choose
from mmdet_kdrank.ops.backends.base import PRODUCT, sum_dtype
from mmdet_kdrank.ops.forms import FORMS


def tau_and_derivative(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor | None,
    steepness: float,
    surrogate: str,
    exact_teacher: bool,
    form: str,
    eps: float,
    backend: str,
    derivative: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the coefficient and, if ``derivative``, the two factors of its derivative.

    Arguments are those of :func:`mmdet_kdrank.ops.kendall_tau`, checked.

    Returns:
        tau, shape (N,); the direction, shape (N, C), or (0, C) without ``derivative``; and the
        scale, shape (N,). Direction times scale is the derivative of tau in the student.
    """
    phi_teacher = 'sign' if exact_teacher else surrogate
    request = PairRequest(
        phi_student=surrogate,
        phi_teacher=PRODUCT if FORMS[form].product else phi_teacher,
        steepness=steepness,
        norms=FORMS[form].norms,
        grad=derivative,
    )
    sums = choose(backend, student, teacher, request).pair_sums(student, teacher, mask, request)
    pairs = student.shape[1] * (student.shape[1] - 1) / 2
    if mask is not None:
        count = mask.sum(1).to(sums.ab.dtype)
        pairs = (count * (count - 1) / 2).clamp_min(1)
    tau, direction, scale = FORMS[form].combine(sums, pairs, eps)
    if mask is not None:
        scale = scale.masked_fill(count < FORMS[form].min_columns, 0)
    if direction is None or not derivative:
        direction = tau.new_empty(0, student.shape[1])
    return tau, direction, scale


def fake_tau_and_derivative(
    student: Tensor, teacher: Tensor, mask: Tensor | None, *options: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Shapes and dtypes of :func:`tau_and_derivative`, for tracing."""
    rows, columns = student.shape
    like = {'dtype': sum_dtype(student, teacher)}
    derivative = options[-1]
    return (
        student.new_empty(rows, **like),
        student.new_empty(rows if derivative else 0, columns, **like),
        student.new_empty(rows, **like),
    )


def scale_direction(grad_tau: Tensor, direction: Tensor, scale: Tensor, like: Tensor) -> Tensor:
    """Return the gradient of the student's logits, in the dtype of ``like``, shape (N, C)."""
    return (direction * (grad_tau * scale)[:, None]).to(like.dtype)


def refuse_second_order(ctx: Any, *grads: Tensor) -> None:
    """Refuse a second derivative: the first was kept as a constant, so a term would be missing.

    Raises:
        RuntimeError: Always.
    """
    raise StateError(
        'kendall_tau is differentiable once: its gradient has no derivative. Detach it in a '
        'computation that is differentiated twice, such as a gradient penalty.'
    )


class KendallTauBackward(torch.autograd.Function):
    """:func:`scale_direction`, which cannot be differentiated again."""

    generate_vmap_rule = True

    @staticmethod
    def forward(grad_tau: Tensor, direction: Tensor, scale: Tensor, like: Tensor) -> Tensor:
        """See :func:`scale_direction`."""
        return scale_direction(grad_tau, direction, scale, like)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Keep nothing: there is no second order."""

    backward = staticmethod(refuse_second_order)


class KendallTau(torch.autograd.Function):
    """:func:`tau_and_derivative` with the gradient of the module's docstring, for eager mode.

    Call it through :func:`differentiable_tau`.
    """

    @staticmethod
    def forward(link: Tensor | None, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        """See :func:`tau_and_derivative`."""
        return tau_and_derivative(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor, Tensor]) -> None:
        """Keep the derivative."""
        ctx.mark_non_differentiable(output[1], output[2])
        # Otherwise every backward pass would allocate zeros of shape (N, C) for the direction.
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output[1], output[2], inputs[0])

    @staticmethod
    def backward(ctx: Any, grad_tau: Tensor | None, *unused: None) -> tuple[Tensor | None, ...]:
        """Return the gradient of the student's logits."""
        if grad_tau is None:
            return (None,) * 11
        return None, KendallTauBackward.apply(grad_tau, *ctx.saved_tensors), *[None] * 9

    @staticmethod
    def vmap(info: Any, in_dims: tuple, link: Tensor | None, *inputs: Any) -> tuple[tuple, tuple]:
        """Map over a batch by taking its samples as further rows."""
        return fold_batch(differentiable_tau, info.batch_size, in_dims[1:], inputs)


def differentiable_tau(student: Tensor, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`tau_and_derivative`, with a gradient in the student where ``derivative`` is set."""
    # The link makes a second derivative reach its refusal. The student itself would do too, but
    # then it could not be changed in place before backward, although its values are not needed.
    link = student[:0].clone() if inputs[-1] else None
    return KendallTau.apply(link, student, *inputs)


def fold_batch(function: Any, size: int, in_dims: tuple, inputs: tuple) -> tuple[tuple, tuple]:
    """Call ``function`` once for a batch of (N, C) tensors, as (B N, C).

    Args:
        function: :func:`tau_and_derivative`, or a differentiable form of it.
        size: B.
        in_dims: The batch dimension of each input, or None.
        inputs: Student, teacher, mask and the options.

    Returns:
        The outputs with a leading batch dimension, and their batch dimensions.
    """
    folded = []
    for value, dim in zip(inputs[:3], in_dims[:3], strict=True):
        if value is not None:
            value = value.expand(size, *value.shape) if dim is None else value.movedim(dim, 0)
            value = value.flatten(0, 1)
        folded.append(value)
    outputs = function(*folded, *inputs[3:])
    shapes = [(size, len(output) // size, *output.shape[1:]) for output in outputs]
    outputs = tuple(output.view(shape) for output, shape in zip(outputs, shapes, strict=True))
    return outputs, (0, 0, 0)
