"""The states of a process's random number generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """States of Python, NumPy, torch on the CPU and, where there is one, the current GPU.

    A checkpoint can hold them.

    Returns:
        Tensors and plain numbers alone, which ``torch.load(weights_only=True)`` reads.
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
    """Set what :func:`random_state` returned.

    Args:
        state: Its return value, of this process or of another; its tensors on any device.
            The state of a GPU is left out where there is none.
    """
    version, words, gauss = state['python']
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    # A resuming runner loads every tensor onto the GPU.
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Context that nobody's random numbers notice: on leaving, the states are as before."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
