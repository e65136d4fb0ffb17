r"""Kendall's rank correlation of logits, hard or differentiable.

One row has student logits s and teacher logits t over n valid columns. phi is an odd surrogate of
the sign: phi_k(x) = phi(k x) -> sgn(x) as k -> inf. Sums run over the P = n (n - 1) / 2 pairs
i < j:

    a_ij = phi_k(s_i - s_j)        b_ij = phi_k(t_i - t_j)
    form 'kendall':  tau = 1/P sum a_ij b_ij
    form 'cosine':   tau = 1/P sum a_ij b_ij / (rms(a) rms(b) + eps)
    form 'product':  tau = 1/P sum phi_k((s_i - s_j) (t_i - t_j))
"""

import torch
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops import library
from mmdet_kdrank.ops.backends import BACKENDS
from mmdet_kdrank.ops.checks import check_choice, check_logits, check_mask, check_positive
from mmdet_kdrank.ops.derivative import differentiable_tau
from mmdet_kdrank.ops.forms import FORMS
from mmdet_kdrank.ops.surrogates import SURROGATES


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
    r"""Compute Kendall's rank correlation between two rows of logits, for each row.

    It is differentiable in ``student`` alone, and once. Input in half precision is computed in
    float32, and its gradient comes back in its own dtype. A non-finite value in a valid column
    makes its row's result NaN.

    A tie counts zero, as in tau-a. So on identical rows with equal values, even
    ``surrogate='sign'`` stays below 1. ``form='cosine'`` with ``'sign'`` and a small ``eps`` is
    tau-b, which scipy computes.

    Args:
        student: Logits that are trained, shape (N, C), C >= 2.
        teacher: Logits to follow, a constant; same shape and device.
        mask: Valid columns of each row, bool, shape (N, C); None: all. Pairs are counted among
            valid columns alone. A row with fewer than two gives 0 and no gradient. With exactly
            two, the cosine form gives the sign (up to ``eps``) and no gradient.
        steepness: ``k``, the slope of the surrogate at 0, per unit of logit.
        surrogate: What replaces the sign: ``'tanh'``, ``'algebraic'``, ``'erf'``, ``'atan'``, or
            ``'sign'`` for the hard coefficient without gradient.
        backend: ``'reference'`` (materialises N C^2), ``'chunked'`` (any device, O(N C) memory),
            ``'native'`` (compiled for the CPU) or ``'triton'`` (CUDA). ``'auto'`` is the fastest of
            the last three that can compute the call. A named backend that cannot is an error.
        exact_teacher: Uses the sign itself on the teacher's side.
        form: ``'kendall'``, the mean over pairs; or ``'cosine'``, that mean divided by both root
            mean squares. The cosine form is largest at equal logits, up to a shift and ``eps``, and
            needs C >= 3. Or ``'product'``, one surrogate of the product of both differences, which
            ``'chunked'`` and ``'reference'`` compute; ``k`` is then per squared unit of logit.
        eps: Added to the cosine form's denominator, which lies in [0, 1]. For nearly constant
            student logits it limits the gradient to about ``1 / eps`` times that of the plain form.

    Returns:
        The coefficients, in [-1, 1], shape (N,), float32 or float64.

    Raises:
        TypeError: If logits are not floating point or the mask is not bool.
        ValueError: If shapes or devices do not fit, an option is unknown or out of range, or the
            backend cannot compute the call.
        RuntimeError: If the gradient is differentiated again.

    References:
        tau: M. G. Kendall, "A New Measure of Rank Correlation", Biometrika 30 (1938).
        Its use for logit distillation: "Enhancing Logits Distillation with Plug&Play Kendall's tau
        Ranking Loss", arXiv 2409.17823.
        The form 'product': "DiffKendall", arXiv 2307.15317, whose beta is 2 k.

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
        raise ArgumentError(
            f'form={form!r} on C = {student.shape[1]} classes is the constant +1 or -1 and has no '
            "gradient; use form='kendall'."
        )

    if FORMS[form].product and exact_teacher:
        raise ArgumentError(
            "form='product' has no surrogate of the teacher's own; leave out exact_teacher=True."
        )
    teacher = teacher.detach()
    options = (float(steepness), surrogate, exact_teacher, form, float(eps), backend)
    if surrogate == 'sign':
        student = student.detach()
    derivative = student.requires_grad and torch.is_grad_enabled()
    if library.AVAILABLE and torch.compiler.is_compiling():
        return torch.ops.mmdet_kdrank.kendall_tau(student, teacher, mask, *options, derivative)[0]
    return differentiable_tau(student, teacher, mask, *options, derivative)[0]
