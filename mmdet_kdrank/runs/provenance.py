"""Where a measurement comes from: commit, machine, versions, date."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import torch

from mmdet_kdrank.environment.versions import module_versions

_PACKAGES = ('torchvision', 'numpy', 'pycocotools')
_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = ('mmdet_kdrank', 'configs', 'tools')


def cpu_count() -> int:
    """Return number of processors that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_name() -> str:
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as lines:
            names = [line.split(':', 1)[1].strip() for line in lines if line[:10] == 'model name']
    except FileNotFoundError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def provenance() -> dict:
    """Describe what a figure was measured with.

    Returns:
        ``date`` (UTC, ISO 8601), ``hardware`` (one line) and ``versions`` (by package).
    """
    hardware = f'{cpu_count()} x {_cpu_name()}'
    if torch.cuda.is_available():
        hardware += f', {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}'
    from mmdet_kdrank import __version__

    return {
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'hardware': hardware,
        'versions': {
            'python': platform.python_version(),
            'mmdet_kdrank': __version__,
            'torch': torch.__version__,  # with its build, e.g. +cu130
            **{name: metadata.version(name) for name in _PACKAGES},
            **module_versions(),
        },
    }


def commit(sources: Sequence[str] = _SOURCES) -> str | None:
    """Return the commit of this package's checkout, ``-dirty`` behind it where sources differ.

    Args:
        sources: Paths in the checkout, as git takes them. An edited page of documentation changes
            no figure, so that it is not among the default ones.

    Returns:
        None where the package lies in no git checkout of its own, or git is not installed.
    """
    if _git('rev-parse', '--show-toplevel') != str(_ROOT):
        return None
    head = _git('rev-parse', 'HEAD')
    changed = _git('status', '--porcelain', '--untracked-files=no', '--', *sources)
    return f'{head}-dirty' if changed else head


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ['git', '-C', str(_ROOT), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
