"""Kendall ranking distillation for MMDetection."""

__version__ = '0.1.0'
