"""Backends of the Kendall coefficient: a new one is a file here and its line in ``BACKENDS``."""

from importlib import import_module

from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops.backends.base import Backend, PairRequest, PairSums


def _on_first_use(module: str) -> Backend:
    """Return the ``BACKEND`` of a module here, which is imported at the first call of either."""

    def load() -> Backend:
        return import_module(f'{__name__}.{module}').BACKEND

    return Backend(
        pair_sums=lambda *arguments: load().pair_sums(*arguments),
        refusal=lambda *arguments: load().refusal(*arguments),
    )


BACKENDS: dict[str, Backend] = {
    name: _on_first_use(name) for name in ('reference', 'chunked', 'native', 'triton')
}

# 'auto' is the first of these that does not refuse the call; the last accepts every call.
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
        ValueError: If the named backend cannot compute it; the message says why and the fix.
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
