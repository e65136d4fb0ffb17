"""The surrogates on a difference of logits, and the reciprocal of a pair."""

import torch
import triton
import triton.language as tl

# Triton's own quotient scales its operands against overflow, which takes twice the instructions of
# the rest of a pair. Here the divisors are known to be in range. PTX exists on NVIDIA GPUs alone.
_PTX = tl.constexpr(torch.version.hip is None and not triton.knobs.runtime.interpret)


@triton.jit
def reciprocal(x):
    """Return 1 / x for |x| in [2^-126, 2^126]."""
    if _PTX:
        y = tl.inline_asm_elementwise(
            'rcp.approx.ftz.f32 $0, $1;', '=r,r', [x], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        y = 1.0 / x
    return y


@triton.jit
def _atan(x):
    """Return atan to within 2e-7: reduce the argument to [0, tan(pi / 8)], then a polynomial."""
    big, mid = tl.abs(x) > 2.414213562373095, tl.abs(x) > 0.4142135623730950
    y = tl.abs(x)
    y = tl.where(big, -1.0 / y, tl.where(mid, (y - 1.0) / (y + 1.0), y))
    z = y * y
    poly = ((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z
    y += (poly - 3.33329491539e-1) * z * y
    y += tl.where(big, 1.5707963267948966, tl.where(mid, 0.7853981633974483, 0.0))
    return tl.where(x < 0, -y, y)


@triton.jit
def _sign(x):
    return tl.where(x > 0, 1.0, 0.0) - tl.where(x < 0, 1.0, 0.0)


@triton.jit
def phi(d, k, PHI: tl.constexpr):
    """Return the surrogate at ``k d`` and its derivative there."""
    if PHI == 'tanh':
        e = tl.exp(-2.0 * k * tl.abs(d))
        inverse = reciprocal(1.0 + e)
        value, slope = _sign(d) * (1.0 - e) * inverse, 4.0 * e * inverse * inverse
    elif PHI == 'algebraic':
        z = tl.minimum(tl.maximum(k * d, -1e18), 1e18)
        inverse = 1.0 / tl.sqrt(1.0 + z * z)
        value, slope = z * inverse, inverse * inverse * inverse
    elif PHI == 'erf':
        z = k * d * 0.886226925452758
        value, slope = tl.erf(z), tl.exp(-z * z)
    elif PHI == 'atan':
        z = k * d * 1.5707963267948966
        value, slope = _atan(z) * 0.6366197723675814, 1.0 / (1.0 + z * z)
    else:
        value, slope = _sign(d), d * 0.0
    return value, slope
