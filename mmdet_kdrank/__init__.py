"""Kendall ranking distillation for MMDetection."""

from __future__ import annotations

import sys

__version__ = '0.1.0'


def _is_doctor() -> bool:
    """Return whether this process is the doctor, which must run where the package cannot."""
    if 'mmdet_kdrank.doctor' in getattr(sys, 'orig_argv', ()):
        return True
    program, *arguments = [*getattr(sys, 'argv', ()), ''][:2]
    return program.rpartition('/')[2] == 'kdrank' and arguments == ['doctor']


if not _is_doctor():
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
