"""Hooks for runs that are interrupted and go on."""

from .atomic_backend import AtomicBackend
from .random_state import RandomStateHook
from .safe_checkpoint import SafeCheckpointHook

__all__ = ['AtomicBackend', 'RandomStateHook', 'SafeCheckpointHook']
