"""Hooks, registered in MMEngine's HOOKS, one a file."""

from .adapter_hook import DistillAdapterHook
from .atomic_backend import AtomicBackend
from .diagnostics_hook import DistillDiagnosticsHook
from .random_state import RandomStateHook
from .safe_checkpoint import SafeCheckpointHook
from .weight_hook import DistillWeightHook

__all__ = [
    'AtomicBackend',
    'DistillAdapterHook',
    'DistillDiagnosticsHook',
    'DistillWeightHook',
    'RandomStateHook',
    'SafeCheckpointHook',
]
