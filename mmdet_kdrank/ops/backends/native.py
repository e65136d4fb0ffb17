"""Compiled for the CPU: the exponential identity, sixteen rows at a time, in ``ops/csrc``.

Rows too steep for it are sorted, and only near pairs take a term of their own.

The module is built with the package if there is a C compiler. It uses neither torch's code nor
Python's unstable interface, so one build serves all versions of both.
"""

import warnings

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends.base import PRODUCT, Backend, PairRequest, PairSums, sum_dtype

try:
    import mmdet_kdrank.ops._native as _native
except ImportError as error:
    _native = None
    _MISSING = (
        f'its compiled module is missing ({error}). Install a C compiler (gcc or clang) and then '
        "the package again, or use backend='chunked', which is many times slower."
    )
    # One warning, on import: the other backends are correct but slower.
    warnings.warn(f"mmdet_kdrank: backend 'native' cannot be used, {_MISSING}", stacklevel=2)

# The numbers of `enum phi` in csrc/panel.h.
_PHI = {('tanh', 'tanh'): (0, 0), ('tanh', 'sign'): (0, 1), ('sign', 'sign'): (1, 1)}

# Up to AVX-512, if the machine has it: a number of `enum instructions` in csrc/native.c.
_INSTRUCTIONS = 2

# With fewer pairs, a second thread costs more time than it saves.
_PAIRS_PER_THREAD = 1 << 20


def refusal(student: Tensor, teacher: Tensor, request: PairRequest) -> str | None:
    """Return why this backend cannot compute the call, or None."""
    if _native is None:
        return _MISSING
    if student.device.type != 'cpu':
        return f"it runs on the CPU and the logits are on {student.device}; use backend='auto'."
    if sum_dtype(student, teacher) is not torch.float32:
        return "it computes in float32 and the logits are float64; use backend='chunked'."
    if request.phi_teacher == PRODUCT:
        return "it knows a surrogate on each side, not form='product'; use backend='chunked'."
    if (request.phi_student, request.phi_teacher) not in _PHI:
        return (
            f"it knows surrogate='tanh' and 'sign', not {request.phi_student!r}; use "
            "backend='chunked'."
        )
    return None


def _matrix(x: Tensor) -> tuple[int, int, int]:
    return x.data_ptr(), *x.stride()


def pair_sums(
    student: Tensor, teacher: Tensor, mask: Tensor | None, request: PairRequest
) -> PairSums:
    """Compute the pair sums in O(C) memory, apart from the results; see :class:`Backend`."""
    rows, columns = student.shape
    student, teacher = student.float(), teacher.float()
    mask = None if mask is None else mask.contiguous()
    sums = [student.new_empty(rows) for _ in range(3 if request.norms else 1)]
    grads = [student.new_empty(rows, columns) for _ in range(2 if request.norms else 1)]
    results = PairSums(sums[0], *sums[1:] or (None, None), *grads)
    threads = min(torch.get_num_threads(), max(1, rows * columns * columns // _PAIRS_PER_THREAD))
    _native.pair_sums(
        (rows, columns),
        _matrix(student),
        _matrix(teacher),
        0 if mask is None else mask.data_ptr(),
        request.steepness,
        *_PHI[request.phi_student, request.phi_teacher],
        threads,
        _INSTRUCTIONS,
        tuple(0 if result is None else result.data_ptr() for result in results),
    )
    return results


BACKEND = Backend(pair_sums, refusal)
