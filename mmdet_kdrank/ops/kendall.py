r"""Kendall's rank correlation of logits, hard or differentiable.

For one row, student logits s and teacher logits t over n valid columns, with an odd surrogate phi
of the sign, phi_k(x) = phi(k x) -> sgn(x) as k -> inf, and sums over the P = n (n - 1) / 2 pairs i
< j:

    a_ij = phi_k(s_i - s_j)        b_ij = phi_k(t_i - t_j)
    form 'kendall':  tau = 1/P sum a_ij b_ij
    form 'cosine':   tau = 1/P sum a_ij b_ij / (rms(a) rms(b) + eps)

Derivation of the gradient. s_i occurs in a_ij and, as a_ji = -a_ij, nowhere with another weight;
phi' is even and b odd, so

    d/ds_i sum_{i<j} a_ij b_ij = k sum_j phi'(k (s_i - s_j)) b_ij
    d/ds_i sum_{i<j} a_ij^2    = 2 k sum_j phi'(k (s_i - s_j)) a_ij

The forward pass holds every factor of both lines, pair by pair, and forgets them; hence the
derivative of tau, (N, C), is computed along with it and kept, and backward multiplies it by the
incoming (N,) gradient.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends import AUTO, BACKENDS, Backend, PairRequest
from mmdet_kdrank.ops.checks import check_choice, check_logits, check_mask, check_positive
from mmdet_kdrank.ops.forms import FORMS, Form, TauAndGrad
from mmdet_kdrank.ops.surrogates import SURROGATES, Surrogate


class _Spec(NamedTuple):
    """The options of one call, resolved."""

    phi_student: Surrogate
    phi_teacher: Surrogate
    steepness: float
    form: Form
    eps: float
    backend: Backend


def _tau_and_grad(
    student: Tensor, teacher: Tensor, mask: Tensor | None, spec: _Spec, with_grad: bool
) -> TauAndGrad:
    """Coefficient (N,) and, if asked, its derivative in the student (N, C)."""
    columns = student.shape[1]
    if mask is None:
        count = student.new_full((student.shape[0],), columns)
    else:
        # What is masked may hold anything, an infinity or NaN too.
        student, teacher = student.masked_fill(~mask, 0), teacher.masked_fill(~mask, 0)
        count = mask.sum(1).to(student.dtype)
    request = PairRequest(
        spec.phi_student, spec.phi_teacher, spec.steepness, spec.form.norms, with_grad
    )
    sums = spec.backend(student, teacher, mask, request)
    pairs = (count * (count - 1) / 2).clamp_min(1)
    tau, grad = spec.form.combine(sums, pairs, spec.eps)
    # sgn(NaN) is 0 in torch and phi(inf) is 1: a broken row would look sound. 0 * x is NaN for
    # both.
    tau = tau + (student * 0 + teacher * 0).sum(1)
    if grad is not None and mask is not None:
        grad = grad.masked_fill((count < spec.form.min_columns)[:, None], 0)
    return tau, grad


class _KendallTau(torch.autograd.Function):
    """tau with the gradient of the module's docstring, in the student only."""

    @staticmethod
    def forward(
        ctx: Any, student: Tensor, teacher: Tensor, mask: Tensor | None, spec: _Spec
    ) -> Tensor:
        tau, grad = _tau_and_grad(student, teacher, mask, spec, with_grad=True)
        ctx.save_for_backward(grad)
        return tau

    @staticmethod
    def backward(ctx: Any, grad_tau: Tensor) -> tuple[Tensor | None, ...]:
        # torch's once_differentiable refuses only where the incoming gradient has a graph; in the
        # usual case, a sum, a second derivative would silently lack this term.
        if torch.is_grad_enabled():
            raise RuntimeError(
                'kendall_tau is differentiable once; call backward or autograd.grad on it without '
                'create_graph=True.'
            )
        (grad,) = ctx.saved_tensors
        return grad_tau[:, None] * grad, None, None, None


def kendall_tau(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor | None = None,
    steepness: float = 1.0,
    surrogate: str = 'tanh',
    backend: str = 'auto',
    *,
    exact_teacher: bool = False,
    form: str = 'kendall',
    eps: float = 1e-2,
) -> Tensor:
    r"""Kendall's rank correlation between two rows of logits, for each row.

    Differentiable in ``student`` alone, once. Input in half precision is computed in float32, and
    its gradient comes back in its own dtype. A non-finite value in a valid column makes its row's
    result NaN.

    Ties count zero, as in tau-a: with equal values on either side even ``surrogate='sign'`` stays
    below 1 on identical rows. ``form='cosine'`` with ``'sign'`` and a small ``eps`` is tau-b, which
    scipy computes.

    Args:
        student: Logits that are trained, shape (N, C), C >= 2.
        teacher: Logits to follow, a constant; same shape and device.
        mask: Valid columns of each row, bool, shape (N, C); None: all. Pairs are counted among
            valid columns alone. A row with fewer than two gives 0 and no gradient; with exactly
            two, the cosine form gives its sign (up to ``eps``) and no gradient.
        steepness: ``k``, the slope of the surrogate at 0, per unit of logit.
        surrogate: What replaces the sign: ``'tanh'``, ``'algebraic'``, ``'erf'``, ``'atan'``, or
            ``'sign'`` for the hard coefficient without gradient.
        backend: ``'reference'`` (materialises N C^2), ``'chunked'`` (any device, O(N C) memory), or
            ``'auto'``, which is ``'chunked'``.
        exact_teacher: Uses the sign itself on the teacher's side.
        form: ``'kendall'``, the mean over pairs; or ``'cosine'``, that mean divided by both root
            mean squares, whose maximum is at equal logits, up to a shift and ``eps``. It needs
            C >= 3.
        eps: Added to the cosine form's denominator, which lies in [0, 1]. For nearly constant
            student logits it limits the gradient to the order of ``1 / eps`` times that of the
            plain form.

    Returns:
        The coefficients, in [-1, 1], shape (N,), float32 or float64.

    Raises:
        TypeError: If logits are not floating point or the mask is not bool.
        ValueError: If shapes or devices do not fit, or an option is unknown or out of range.
        RuntimeError: In the backward pass, if a second derivative is prepared (``create_graph``).

    References:
        M. G. Kendall, "A New Measure of Rank Correlation", Biometrika 30 (1938), for tau; its use
        for logit distillation after "Enhancing Logits Distillation with Plug&Play Kendall's tau
        Ranking Loss", arXiv 2409.17823.

    Example:
        >>> student = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]], requires_grad=True)
        >>> teacher = torch.tensor([[9.0, 5.0, 0.0], [9.0, 5.0, 0.0]])
        >>> kendall_tau(student, teacher, surrogate='sign')
        tensor([ 1., -1.])
        >>> tau = kendall_tau(student, teacher, steepness=2.0)
        >>> tau.sum().backward()
        >>> student.grad.shape
        torch.Size([2, 3])
    """
    check_logits(student, teacher, ('student', 'teacher'))
    check_mask(mask, student)
    check_choice('surrogate', surrogate, SURROGATES)
    check_choice('backend', backend, ['auto', *BACKENDS])
    check_choice('form', form, FORMS)
    check_positive('steepness', steepness)
    check_positive('eps', eps)
    if student.shape[1] < FORMS[form].min_columns:
        raise ValueError(
            f'form={form!r} on C = {student.shape[1]} classes is the constant +1 or -1 and has no '
            "gradient; use form='kendall'."
        )

    spec = _Spec(
        phi_student=SURROGATES[surrogate],
        phi_teacher=SURROGATES['sign' if exact_teacher else surrogate],
        steepness=float(steepness),
        form=FORMS[form],
        eps=eps,
        backend=BACKENDS[AUTO if backend == 'auto' else backend],
    )
    dtype = torch.promote_types(torch.promote_types(student.dtype, teacher.dtype), torch.float32)
    # The casts stay outside the Function, so that autograd returns the gradient in the student's
    # dtype.
    student, teacher = student.to(dtype), teacher.detach().to(dtype)
    if surrogate != 'sign' and student.requires_grad and torch.is_grad_enabled():
        return _KendallTau.apply(student, teacher, mask, spec)
    return _tau_and_grad(student.detach(), teacher, mask, spec, with_grad=False)[0]
