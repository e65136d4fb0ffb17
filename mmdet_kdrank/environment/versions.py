"""Faults that package metadata alone tells: quick enough to look for on every import."""

from __future__ import annotations

from mmdet_kdrank.environment.bounds import PYTHON, Bound, dotted
from mmdet_kdrank.environment.facts import Facts
from mmdet_kdrank.environment.fault import SETUP, Check, Fault

# torchvision's minor release that belongs to torch's, from 2.1 and 0.16 on, is always 15 more.
TORCHVISION_OFFSET = 15


def python_version(facts: Facts) -> Fault | None:
    """Python too old or too new."""
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
    """Build the check that a package is there, within its bounds."""

    def probe(facts: Facts) -> Fault | None:
        version = facts.versions.get(bound.package)
        if version is None:
            return Fault(f'{bound.package} is not installed.', SETUP)
        if not bound.admits(version):
            return Fault(f'{bound.package} {version} is installed, but {bound} is needed.', SETUP)
        return None

    return Check(f'{bound.package} version', probe)


def numpy_and_torch(facts: Facts) -> Fault | None:
    """numpy 2 under a torch that was compiled against numpy 1."""
    told = 'compiled using NumPy 1.x' in facts.errors.get('numpy bridge', '')
    old_torch = 'torch' in facts.versions and not facts.at_least('torch', 2, 3)
    if not told and not (facts.at_least('numpy', 2) and old_torch):
        return None
    return Fault(
        f'numpy {facts.versions.get("numpy")} does not work with torch '
        f'{facts.versions.get("torch")}, which was compiled against numpy 1.',
        '`pip install "numpy<2" "opencv-python<4.12"`, or torch 2.3 or newer (the modern stack).',
    )


def torchvision_and_torch(facts: Facts) -> Fault | None:
    """torchvision of another torch release, or of another build."""
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


def numpy_and_triton(facts: Facts) -> Fault | None:
    """numpy 2.5 under Triton, whose CPU interpreter it breaks."""
    if not (
        facts.at_least('numpy', 2, 5)
        and facts.at_least('triton', 3)
        and not facts.at_least('triton', 3, 7)
    ):
        return None
    return Fault(
        f'numpy {facts.versions["numpy"]} breaks the interpreter of Triton '
        f'{facts.versions["triton"]} (only 0-dimensional arrays can be converted to Python '
        'scalars).',
        '`pip install "numpy<2.5"`.',
    )
