"""Hooks, registered in MMEngine's HOOKS, one per file."""

from mmdet_kdrank.hooks.adapter_hook import DistillAdapterHook
from mmdet_kdrank.hooks.class_order_hook import ClassOrderHook
from mmdet_kdrank.hooks.diagnostics_hook import DistillDiagnosticsHook
from mmdet_kdrank.hooks.resilience.file_backends import AtomicBackend
from mmdet_kdrank.hooks.resilience.finite_weights_hook import FiniteWeightsHook
from mmdet_kdrank.hooks.resilience.random_state import RandomStateHook
from mmdet_kdrank.hooks.resilience.safe_checkpoint import SafeCheckpointHook
from mmdet_kdrank.hooks.verify_teacher_hook import VerifyTeacherHook
from mmdet_kdrank.hooks.weight_hook import DistillWeightHook

__all__ = [
    'AtomicBackend',
    'ClassOrderHook',
    'DistillAdapterHook',
    'DistillDiagnosticsHook',
    'DistillWeightHook',
    'FiniteWeightsHook',
    'RandomStateHook',
    'SafeCheckpointHook',
    'VerifyTeacherHook',
]
