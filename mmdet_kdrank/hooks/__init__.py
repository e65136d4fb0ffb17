"""Hooks, registered in MMEngine's HOOKS, one a file."""

from .adapter_hook import DistillAdapterHook
from .weight_hook import DistillWeightHook

__all__ = ['DistillAdapterHook', 'DistillWeightHook']
