"""Calls that a new process can import."""

from collections.abc import Callable

import torch


def ones(mebibytes: int) -> Callable[[], torch.Tensor]:
    """A call that returns so much memory."""
    return lambda: torch.ones(mebibytes << 18)


def passing(mebibytes: int) -> Callable[[], float]:
    """A call that holds so much memory for a while."""
    return lambda: torch.ones(mebibytes << 18).sum().item()


def failing() -> Callable[[], object]:
    """A call that fails."""

    def call() -> None:
        raise ValueError('no such thing')

    return call
