"""Backends of the Kendall coefficient: a new one is a file here and its line in ``BACKENDS``."""

from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops.backends import chunked, native, reference, triton
from mmdet_kdrank.ops.backends.base import Backend, PairRequest, PairSums

BACKENDS: dict[str, Backend] = {
    'reference': reference.BACKEND,
    'chunked': chunked.BACKEND,
    'native': native.BACKEND,
    'triton': triton.BACKEND,
}

# 'auto' is the first of these that does not refuse the call; the last one takes everything.
_AUTO = {'cuda': ('triton', 'chunked'), 'cpu': ('native', 'chunked')}


def choose(name: str, student: Tensor, teacher: Tensor, request: PairRequest) -> Backend:
    """Return the backend of that name.

    Args:
        name: A key of ``BACKENDS``, or ``'auto'``.
        student: Logits, shape (N, C).
        teacher: Logits, shape (N, C).
        request: What is to be computed.

    Returns:
        A backend that can compute the call.

    Raises:
        ValueError: If the one that was named cannot; the message says why and the mend.
    """
    if name == 'auto':
        return next(
            BACKENDS[backend]
            for backend in _AUTO.get(student.device.type, ('chunked',))
            if BACKENDS[backend].refusal(student, teacher, request) is None
        )
    refusal = BACKENDS[name].refusal(student, teacher, request)
    if refusal is not None:
        raise ArgumentError(f'backend={name!r} cannot compute this call: {refusal}')
    return BACKENDS[name]


__all__ = ['BACKENDS', 'Backend', 'PairRequest', 'PairSums', 'choose']
