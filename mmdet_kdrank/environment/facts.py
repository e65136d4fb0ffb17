"""Gathers what the checks look at, without importing anything that could take the process down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata

from mmdet_kdrank.environment.bounds import PACKAGES, release

# Each runs in a process of its own: an extension built for another torch may end it by a signal.
PROBES = {
    'pkg_resources': 'import pkg_resources',
    'cv2': 'import cv2',
    'torch': 'import torch',
    'numpy bridge': 'import torch, numpy; torch.zeros(1).numpy(); torch.from_numpy(numpy.zeros(1))',
    'torchvision': 'import torchvision.ops',
    'mmcv._ext': 'import torch, mmcv._ext',
    'mmdet': 'import mmdet.models',
    'CUDA': 'import torch; assert torch.cuda.is_available(), "no CUDA device"',
    'CUDA ops': (
        'import torch, mmcv._ext; v = mmcv._ext.get_compiling_cuda_version(); '
        'assert v != "not available", "mmcv was compiled without CUDA"'
    ),
    'triton': 'import triton',
}


@dataclass(frozen=True)
class Facts:
    """What is known of an environment.

    Attributes:
        versions: Installed version by distribution; a missing one has no entry.
        python: Python's version.
        errors: Error text by name of the probe that failed; one that went well has no entry.
    """

    versions: Mapping[str, str]
    python: tuple[int, ...]
    errors: Mapping[str, str] = field(default_factory=dict)

    def at_least(self, package: str, *minimum: int) -> bool:
        """Says whether a package is installed in a version that is not older."""
        return package in self.versions and release(self.versions[package]) >= minimum


def installed() -> Facts:
    """Returns what package metadata tells: quick, and safe in any environment."""
    versions = {}
    for name in (*(bound.package for bound in PACKAGES), 'triton', 'opencv-python'):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Facts(versions, tuple(sys.version_info[:3]))


def gather() -> Facts:
    """Returns all facts, with each risky import tried in a process of its own."""
    known = installed()
    running = {
        name: subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', code],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors='replace',
        )
        for name, code in PROBES.items()
    }
    errors = {}
    for name, process in running.items():
        text = process.communicate()[1]
        # numpy and torch tell of an ABI mismatch on stderr and go on.
        if process.returncode or 'compiled using NumPy 1.x' in text:
            errors[name] = text.strip() or f'ended with status {process.returncode}'
    return Facts(known.versions, known.python, errors)
