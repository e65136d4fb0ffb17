"""Gathers what the checks look at, without an import that could end the process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata

from mmdet_kdrank.environment.bounds import PACKAGES, release

PROBES = {
    'pkg_resources': 'import pkg_resources',
    'cv2': 'import cv2',
    'torch': 'import torch',
    'numpy bridge': 'import torch, numpy; torch.zeros(1).numpy(); torch.from_numpy(numpy.zeros(1))',
    'torchvision': 'import torchvision.ops',
    'mmcv._ext': 'import torch, mmcv._ext',
    'mmdet': 'import mmdet.models',
    'triton': 'import triton',
    'CUDA': 'import torch; assert torch.cuda.is_available(), "no CUDA device"',
    'CUDA ops': (
        'import torch, mmcv._ext; v = mmcv._ext.get_compiling_cuda_version(); '
        'assert v != "not available", "mmcv was compiled without CUDA"'
    ),
}

# Announces each probe before it runs, so that the one which ended the process is known.
_RUNNER = """
import json, sys, traceback
for name, code in json.loads(sys.argv[1]).items():
    print("begun:" + name, flush=True)
    try:
        exec(code, {})
    except BaseException:
        print("failed:" + json.dumps(traceback.format_exc()), flush=True)
print("finished:", flush=True)
"""


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
    """Return what package metadata tells: quick, and safe in any environment."""
    versions = {}
    for name in (*(bound.package for bound in PACKAGES), 'triton', 'opencv-python'):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Facts(versions, tuple(sys.version_info[:3]))


def gather() -> Facts:
    """Return all facts; the risky imports are tried in another process."""
    known = installed()
    return Facts(known.versions, known.python, probe_errors(PROBES))


def probe_errors(probes: Mapping[str, str]) -> dict[str, str]:
    """Run pieces of code in another process and returns the error text of those that fail.

    An extension built for another torch may end its process; the rest then runs in a new one.

    Args:
        probes: Code by name.
    """
    errors: dict[str, str] = {}
    waiting = dict(probes)
    # The probes are to see the packages that this process sees.
    flags = ['-S'] if sys.flags.no_site else []
    while waiting:
        result = subprocess.run(
            [sys.executable, *flags, '-W', 'ignore', '-c', _RUNNER, json.dumps(waiting)],
            capture_output=True,
            text=True,
            errors='replace',
        )
        current = None
        for line in result.stdout.splitlines():
            word, _, rest = line.partition(':')
            if word == 'begun' and rest in waiting:
                current = rest
                waiting.pop(current)
            elif word == 'failed':
                errors[current] = json.loads(rest)
            elif word == 'finished':
                current = None
        if current is not None:
            errors[current] = f'{result.stderr}\nended with status {result.returncode}'
        elif result.returncode and waiting:
            raise RuntimeError(f'{sys.executable} does not start: {result.stderr}')
        # torch tells of a numpy that it was not compiled for on stderr, and goes on.
        if 'compiled using NumPy 1.x' in result.stderr:
            errors.setdefault('numpy bridge', result.stderr)
    return errors
