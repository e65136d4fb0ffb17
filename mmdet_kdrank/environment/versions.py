"""The version bounds, and the faults that package metadata alone shows.

The standard library alone is imported here: `setup.py` runs this file, and `import mmdet_kdrank`
checks the versions before it imports anything that may be missing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import NamedTuple

SETUP = 'run `make setup` in the checkout, which installs the pinned versions into .venv.'
# From torch 2.1 with torchvision 0.16 on, torchvision's minor version is torch's plus 15.
TORCHVISION_OFFSET = 15


class EnvironmentFault(ImportError):
    """The package was imported in an environment where it cannot work."""


class Bound(NamedTuple):
    """A half-open range of versions.

    Attributes:
        package: The distribution's name.
        minimum: First release that works.
        below: First release that is known or expected to fail.
    """

    package: str
    minimum: tuple[int, ...]
    below: tuple[int, ...]

    def admits(self, version: str) -> bool:
        """Return whether a version lies within the bounds."""
        return self.minimum <= release(version) < self.below

    def __str__(self) -> str:
        """Write the bound as pip takes it, such as `mmcv>=2.0.0,<2.2.0`."""
        return f'{self.package}>={dotted(self.minimum)},<{dotted(self.below)}'


def release(version: str) -> tuple[int, ...]:
    """Return the release part of a version as numbers.

    Example:
        >>> release('2.11.0+cu130')
        (2, 11, 0)
    """
    match = re.match(r'\d+(\.\d+)*', version)
    return tuple(int(part) for part in match.group().split('.')) if match else ()


def dotted(numbers: tuple[int, ...]) -> str:
    """Write a release tuple with dots between its numbers."""
    return '.'.join(str(number) for number in numbers)


PYTHON = Bound('python', (3, 10), (3, 13))

# The bounds of mmcv and mmengine are those that mmdet 3.3 sets itself.
PACKAGES = (
    Bound('torch', (2, 1), (3,)),
    Bound('torchvision', (0, 16), (1,)),
    Bound('numpy', (1, 24), (3,)),
    Bound('mmengine', (0, 10), (1,)),
    Bound('mmcv', (2, 0, 0), (2, 2, 0)),
    Bound('mmdet', (3, 3, 0), (3, 4, 0)),
    Bound('pycocotools', (2, 0), (3,)),
    Bound('setuptools', (60,), (81,)),
)


@dataclass(frozen=True)
class Facts:
    """What is known about an environment.

    Attributes:
        versions: Installed version by distribution; a missing distribution has no entry.
        python: Python's version.
        errors: Error text by the name of the probe that failed; a successful probe has no entry.
    """

    versions: Mapping[str, str]
    python: tuple[int, ...]
    errors: Mapping[str, str] = field(default_factory=dict)

    def at_least(self, package: str, *minimum: int) -> bool:
        """Return whether a package is installed in this version or a newer one."""
        return package in self.versions and release(self.versions[package]) >= minimum


def installed() -> Facts:
    """Return what package metadata shows: quick, and safe in any environment."""
    versions = {}
    for name in (*(bound.package for bound in PACKAGES), 'triton', 'opencv-python'):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Facts(versions, tuple(sys.version_info[:3]))


class Fault(NamedTuple):
    """A fault of the environment.

    Attributes:
        description: The fault, in one sentence.
        fix: What to do about it.
    """

    description: str
    fix: str

    def __str__(self) -> str:
        """Write both as one line."""
        return f'{self.description} Fix: {self.fix}'


class Check(NamedTuple):
    """A check for one kind of fault.

    Attributes:
        name: Its name in the doctor's output.
        probe: Looks at the facts and returns the fault, or None.
    """

    name: str
    probe: Callable[[Facts], Fault | None]


def python_version(facts: Facts) -> Fault | None:
    """Return the fault of a Python that is too old or too new."""
    if PYTHON.minimum <= facts.python[:2] < PYTHON.below:
        return None
    age = 'old' if facts.python < PYTHON.minimum else 'new'
    reason = '' if age == 'old' else ' (mmcv 2.1 cannot be built there)'
    return Fault(
        f'Python {dotted(facts.python)} is too {age}: >={dotted(PYTHON.minimum)},'
        f'<{dotted(PYTHON.below)} is needed{reason}.',
        '`make setup PYTHON=/path/to/python3.12`, or any Python within the bounds.',
    )


def version_check(bound: Bound) -> Check:
    """Build the check that a package is installed, within its bounds."""

    def probe(facts: Facts) -> Fault | None:
        version = facts.versions.get(bound.package)
        if version is None:
            return Fault(f'{bound.package} is not installed.', SETUP)
        if not bound.admits(version):
            return Fault(f'{bound.package} {version} is installed, but {bound} is needed.', SETUP)
        return None

    return Check(f'{bound.package} version', probe)


def numpy_and_torch(facts: Facts) -> Fault | None:
    """Return the fault of numpy 2 under a torch that was compiled against numpy 1."""
    torch_complained = 'compiled using NumPy 1.x' in facts.errors.get('numpy bridge', '')
    old_torch = 'torch' in facts.versions and not facts.at_least('torch', 2, 3)
    if not torch_complained and not (facts.at_least('numpy', 2) and old_torch):
        return None
    return Fault(
        f'numpy {facts.versions.get("numpy")} does not work with torch '
        f'{facts.versions.get("torch")}, which was compiled against numpy 1.',
        '`pip install "numpy<2" "opencv-python<4.12"`, or torch 2.3 or newer (the modern stack).',
    )


def torchvision_and_torch(facts: Facts) -> Fault | None:
    """Return the fault of a torchvision made for another torch release or another build."""
    versions = facts.versions
    broken = 'torchvision::nms' in facts.errors.get('torchvision', '')
    if {'torch', 'torchvision'} <= set(versions):
        torch, vision = (versions[name].split('.') for name in ('torch', 'torchvision'))
        paired = torch[0] != '2' or int(vision[1]) == int(torch[1]) + TORCHVISION_OFFSET
    else:
        paired = True
    if paired and not broken:
        return None
    return Fault(
        f'torchvision {versions.get("torchvision")} does not match torch {versions.get("torch")}'
        f'{" (operator torchvision::nms does not exist)" if broken else ""}.',
        'install both at once and from the same index, in releases that belong together '
        '(torch 2.11 with torchvision 0.26, 2.1 with 0.16).',
    )


IMPORT_CHECKS = (
    Check('Python', python_version),
    *(version_check(bound) for bound in PACKAGES),
    Check('numpy with torch', numpy_and_torch),
    Check('torchvision with torch', torchvision_and_torch),
)
"""The checks that run on import: faults that make the package unusable, known from metadata."""


def require(facts: Facts) -> None:
    """Raise an error if the package cannot work with the installed versions.

    Raises:
        EnvironmentFault: Names every fault in the doctor's words.
    """
    faults = [fault for check in IMPORT_CHECKS if (fault := check.probe(facts))]
    if faults:
        listed = '\n'.join(f'  - {fault}' for fault in faults)
        raise EnvironmentFault(
            f'mmdet_kdrank does not work in this environment:\n{listed}\n'
            'All checks: python -m mmdet_kdrank.doctor'
        )
