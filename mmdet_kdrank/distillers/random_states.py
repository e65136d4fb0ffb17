"""Keeping what the teacher does out of the student's random numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def kept_random_states(devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Put the random states of torch, numpy and Python back on leaving.

    Args:
        devices (Sequence[torch.device]): CUDA devices whose state is kept beside the CPU's.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
