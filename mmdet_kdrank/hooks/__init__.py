"""Hooks, registered in MMEngine's HOOKS, one a file."""

from .adapter_hook import DistillAdapterHook

__all__ = ['DistillAdapterHook']
