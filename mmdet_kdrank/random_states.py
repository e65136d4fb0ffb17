"""The states of a process's random number generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """Return the states of Python, NumPy, torch on the CPU and, if there is one, the current GPU.

    Returns:
        Tensors and plain numbers alone. A checkpoint can hold these, because
        ``torch.load(weights_only=True)`` reads them.
    """
    kind, keys, *rest = np.random.get_state()
    state = dict(
        python=random.getstate(),
        numpy=(kind, keys.tolist(), *rest),
        torch=torch.get_rng_state(),
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Set the states that :func:`random_state` returned.

    Args:
        state: Its return value, from this process or another; tensors may be on any device. The
            state of a GPU is ignored if there is none.
    """
    version, words, gauss = state['python']
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    # A runner that resumes loads every tensor onto the GPU.
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Context that changes no random numbers: on exit, the states are set back."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
