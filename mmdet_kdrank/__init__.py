"""Kendall ranking distillation for MMDetection."""

from __future__ import annotations

import sys

__version__ = '0.1.0'

# `python -m mmdet_kdrank.doctor` imports this package first, and must run where it cannot work.
if 'mmdet_kdrank.doctor' not in getattr(sys, 'orig_argv', ()):
    from mmdet_kdrank.environment.versions import installed, require

    require(installed())

    from mmdet_kdrank.checkpoints.safe_globals import allow_mmengine_checkpoints

    allow_mmengine_checkpoints()

    # Imported for what they register.
    from mmdet_kdrank import (  # noqa: F401
        datasets,
        distillers,
        hooks,
        losses,
        projects,
        visualization,
    )
