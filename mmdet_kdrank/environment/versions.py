"""The faults that package metadata alone shows.

The standard library alone is imported here: `import mmdet_kdrank` checks the versions before it
imports anything that may be missing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import NamedTuple

from mmdet_kdrank.environment.families import (
    FAMILIES,
    MODULES,
    PYTHON,
    SHARED,
    Family,
    dotted,
    release,
)

SKIP_CHECKS = 'MMDET_KDRANK_SKIP_CHECKS'
"""The environment variable that, set to 1, leaves out the checks on import."""

# From torch 2.1 with torchvision 0.16 on, torchvision's minor version is torch's plus 15.
TORCHVISION_OFFSET = 15


class EnvironmentFault(ImportError):
    """The package was imported in an environment where it cannot work."""


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

    @property
    def families(self) -> list[Family]:
        """The families of which a distribution is installed."""
        return [family for family in FAMILIES if family.installed(self.versions)]

    @property
    def family(self) -> Family:
        """The first installed family; without any, OpenMMLab's."""
        return (self.families or FAMILIES)[0]

    @property
    def setup(self) -> str:
        """How to get the pinned versions of the installed family, or of the default stack."""
        return (self.families or FAMILIES[-1:])[0].setup

    def at_least(self, package: str, *minimum: int) -> bool:
        """Return whether a package is installed in this version or a newer one."""
        return package in self.versions and release(self.versions[package]) >= minimum


def installed() -> Facts:
    """Return what package metadata shows: quick, and safe in any environment."""
    bounds = [*SHARED.values(), *(b for family in FAMILIES for b in family.bounds.values())]
    versions = {}
    for name in (*(bound.package for bound in bounds), 'triton', 'opencv-python'):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Facts(versions, tuple(sys.version_info[:3]))


def module_versions() -> dict[str, str]:
    """Return the versions of `mmengine`, `mmcv` and `mmdet`, as records of a run name them.

    A package of another name than its module stands behind the version: `3.5.1
    (onedl-mmdetection)`. A fork under an unknown name is `unknown`.
    """
    facts = installed()
    versions = {}
    for module in MODULES:
        package = facts.family.bounds[module].package
        version = facts.versions.get(package, 'unknown')
        versions[module] = version if package == module else f'{version} ({package})'
    return versions


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
    reason = '' if age == 'old' else ' (mmcv 2.1 cannot be built there, onedl-mmcv was not tried)'
    return Fault(
        f'Python {dotted(facts.python)} is too {age}: >={dotted(PYTHON.minimum)},'
        f'<{dotted(PYTHON.below)} is needed{reason}.',
        '`make setup PYTHON=/path/to/python3.12`, or any Python within the bounds.',
    )


def one_family(facts: Facts) -> Fault | None:
    """Return the fault of an environment with no MMDetection, or with parts of two families."""
    families = facts.families
    if len(families) == 1:
        return None
    if not families:
        return Fault(
            'no MMDetection is installed, neither by OpenMMLab (mmdet) nor by OneDL '
            '(onedl-mmdetection).',
            '`pip install "mmdet_kdrank[openmmlab]"` or `"mmdet_kdrank[onedl]"`; for a fork under '
            f'another name, set {SKIP_CHECKS}=1.',
        )
    names = [name for family in families for name in family.installed(facts.versions)]
    return Fault(
        f'packages of two families are installed: {family_versions(facts)}. Both contain the same '
        'modules, so files of one may have overwritten files of the other.',
        f'`pip uninstall {" ".join(names)}`, and then install one family alone.',
    )


def family_versions(facts: Facts) -> str:
    """Return the installed families with their versions, as messages name them."""
    parts = []
    for family in facts.families:
        versions = family.installed(facts.versions).items()
        numbers = ', '.join(' '.join(item) for item in versions)
        parts.append(f"{family.name}'s {numbers}")
    return ' and '.join(parts) or 'no MMDetection'


def version_check(package: str) -> Check:
    """Build the check that a package is installed, within its bounds.

    Args:
        package: A key of :data:`SHARED` or of a family's bounds.
    """

    def probe(facts: Facts) -> Fault | None:
        bound = {**SHARED, **facts.family.bounds}.get(package)
        if bound is None or (package in MODULES and len(facts.families) > 1):
            return None
        version = facts.versions.get(bound.package)
        if version is None:
            return Fault(f'{bound.package} is not installed.', facts.setup)
        if not bound.admits(version):
            return Fault(
                f'{bound.package} {version} is installed, but {bound} is needed.',
                facts.setup,
            )
        return None

    return Check(f'{package} version', probe)


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
    Check('one family', one_family),
    *(version_check(package) for package in (*SHARED, *MODULES, 'setuptools')),
    Check('numpy with torch', numpy_and_torch),
    Check('torchvision with torch', torchvision_and_torch),
)
"""The checks that run on import: faults that make the package unusable, known from metadata."""


def require(facts: Facts) -> None:
    """Raise an error if the package cannot work with the installed versions.

    Where :data:`SKIP_CHECKS` is set to 1, nothing is checked.

    Raises:
        EnvironmentFault: Names every fault in the doctor's words.
    """
    if os.environ.get(SKIP_CHECKS) == '1':
        return
    faults = [fault for check in IMPORT_CHECKS if (fault := check.probe(facts))]
    if faults:
        listed = '\n'.join(f'  - {fault}' for fault in faults)
        raise EnvironmentFault(
            f'mmdet_kdrank does not work in this environment, which has {family_versions(facts)}:\n'
            f'{listed}\nAll checks: python -m mmdet_kdrank.doctor. To import it all the same: '
            f'{SKIP_CHECKS}=1'
        )
