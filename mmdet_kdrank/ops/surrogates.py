"""Odd, bounded stand-ins for the sign function, each with its derivative.

Every surrogate has slope 1 at the origin: ``phi(0) = 0``, ``phi'(0) = 1``, ``|phi| <= 1``. A
steepness ``k`` scales the argument: ``phi_k(x) = phi(k x)``. So ``phi_k'(0) = k``, and ``k`` has
the same meaning for all of them. They differ in the tail, which decides how much gradient a pair
with a large gap still gets:

========= ===================== ============================ ==================
name      phi(z)                phi'(z)                      tail of phi'
========= ===================== ============================ ==================
tanh      tanh z                1 - tanh^2 z                 4 exp(-2z)
algebraic z / sqrt(1 + z^2)     (1 + z^2)^(-3/2)             z^-3
erf       erf(sqrt(pi)/2 z)     exp(-pi/4 z^2)               exp(-pi/4 z^2)
atan      2/pi atan(pi/2 z)     1 / (1 + (pi/2 z)^2)         (2/pi z^-1)^2
sign      sgn z                 0                            0
========= ===================== ============================ ==================
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

# Beyond this limit the algebraic surrogate is 1 to the last bit in every dtype. The square of a
# much larger number would overflow float32 and turn phi into z / inf = 0.
_ALGEBRAIC_LIMIT = 1e18

# evaluate_(z, work, with_slope) overwrites z with phi(z) and, with_slope, work with phi'(z). work
# has the shape of z; otherwise its content is undefined. The evaluation works in place because
# memory traffic limits its speed. So it is not for tensors that autograd tracks.
Surrogate = Callable[[Tensor, Tensor, bool], None]


def _tanh_(z: Tensor, work: Tensor, with_slope: bool) -> None:
    z.tanh_()
    if with_slope:
        work.fill_(1).addcmul_(z, z, value=-1)


def _algebraic_(z: Tensor, work: Tensor, with_slope: bool) -> None:
    z.clamp_(-_ALGEBRAIC_LIMIT, _ALGEBRAIC_LIMIT)
    torch.mul(z, z, out=work).add_(1).rsqrt_()
    z.mul_(work)
    # From the argument and not as (1 - phi^2)^(3/2): there the heavy tail, the reason to choose
    # this surrogate, would be lost to cancellation.
    if with_slope:
        work.pow_(3)


def _erf_(z: Tensor, work: Tensor, with_slope: bool) -> None:
    if with_slope:
        torch.mul(z, z, out=work).mul_(-math.pi / 4).exp_()
    z.mul_(math.sqrt(math.pi) / 2).erf_()


def _atan_(z: Tensor, work: Tensor, with_slope: bool) -> None:
    z.mul_(math.pi / 2)
    if with_slope:
        torch.mul(z, z, out=work).add_(1).reciprocal_()
    z.atan_().mul_(2 / math.pi)


def _sign_(z: Tensor, work: Tensor, with_slope: bool) -> None:
    z.sign_()
    if with_slope:
        work.zero_()


SURROGATES: dict[str, Surrogate] = {
    'tanh': _tanh_,
    'algebraic': _algebraic_,
    'erf': _erf_,
    'atan': _atan_,
    'sign': _sign_,
}
