"""Every known fault: a small function each, from facts to fault."""

from __future__ import annotations

from mmdet_kdrank.environment.bounds import PACKAGES, PYTHON, Bound, dotted
from mmdet_kdrank.environment.facts import Facts
from mmdet_kdrank.environment.fault import Check, Fault

SETUP = 'run `make setup` in the checkout, which installs the pinned versions into .venv.'
REBUILD = (
    'reinstall mmcv compiled for this torch: `make setup`, or '
    '`pip install --no-cache-dir --no-build-isolation --force-reinstall --no-deps mmcv==2.1.0`.'
)
# torchvision's minor release that belongs to torch's, from 2.1 and 0.16 on, is always 15 more.
TORCHVISION_OFFSET = 15


class EnvironmentFault(ImportError):
    """The package was imported where it cannot work."""


def python_version(facts: Facts) -> Fault | None:
    """Python too old or too new."""
    if PYTHON.minimum <= facts.python[:2] < PYTHON.below:
        return None
    age = 'old' if facts.python < PYTHON.minimum else 'new'
    reason = '' if age == 'old' else ' (mmcv 2.1 cannot be built there)'
    return Fault(
        f'Python {dotted(facts.python)} is too {age}: >={dotted(PYTHON.minimum)},<{dotted(PYTHON.below)} '
        f'is needed{reason}.',
        '`make setup PYTHON=/path/to/python3.12`, or any Python within the bounds.',
    )


def version_check(bound: Bound) -> Check:
    """Builds the check that a package is there, within its bounds."""

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
        f'numpy {facts.versions.get("numpy")} does not work with torch {facts.versions.get("torch")}, '
        'which was compiled against numpy 1.',
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
        f'numpy {facts.versions["numpy"]} breaks the interpreter of Triton {facts.versions["triton"]} '
        '(only 0-dimensional arrays can be converted to Python scalars).',
        '`pip install "numpy<2.5"`.',
    )


def pkg_resources(facts: Facts) -> Fault | None:
    """setuptools without pkg_resources, which mmcv and mmengine import."""
    if 'pkg_resources' not in facts.errors:
        return None
    return Fault(
        f'pkg_resources cannot be imported: {last_line(facts.errors["pkg_resources"])}.',
        '`pip install "setuptools<81"`; newer ones no longer contain it.',
    )


def opencv(facts: Facts) -> Fault | None:
    """OpenCV that cannot be imported, for want of libGL most often."""
    text = facts.errors.get('cv2')
    if text is None:
        return None
    if '.so' in text and 'cannot open shared object' in text:
        mend = (
            '`pip uninstall opencv-python` and then `pip install --force-reinstall --no-deps '
            'opencv-python-headless` in the same version, or install the library '
            '(Debian, Ubuntu: apt install libgl1 libglib2.0-0; Fedora: dnf install mesa-libGL glib2).'
        )
        return Fault(f'OpenCV misses a library of the system: {last_line(text)}.', mend)
    return Fault(f'OpenCV cannot be imported: {last_line(text)}.', SETUP)


def torch_import(facts: Facts) -> Fault | None:
    """A torch that cannot be imported at all."""
    if 'torch' not in facts.errors:
        return None
    return Fault(f'torch cannot be imported: {last_line(facts.errors["torch"])}.', SETUP)


def mmcv_ops(facts: Facts) -> Fault | None:
    """mmcv without its compiled ops, or with ops compiled for another torch."""
    text = facts.errors.get('mmcv._ext')
    if (
        text is None
        or 'torch' in facts.errors
        or 'pkg_resources' in facts.errors
        or 'cv2' in facts.errors
    ):
        return None
    if "No module named 'mmcv._ext'" in text:
        what = 'mmcv has no compiled ops (mmcv._ext is missing): it is mmcv-lite or was built without them.'
    elif 'undefined symbol' in text or 'Symbol not found' in text or 'status -' in text:
        what = (
            f"mmcv's compiled ops were built for another torch (ABI mismatch): {last_line(text)}."
        )
    else:
        what = f"mmcv's compiled ops cannot be imported: {last_line(text)}."
    return Fault(what, REBUILD)


def mmcv_cuda_ops(facts: Facts) -> Fault | None:
    """CPU ops on a machine whose card then has no NMS and no RoIAlign."""
    if 'CUDA' in facts.errors or 'mmcv._ext' in facts.errors or 'CUDA ops' not in facts.errors:
        return None
    return Fault(
        'there is a CUDA device, but mmcv was compiled without CUDA ops: no NMS and no RoIAlign on the card.',
        "with a CUDA toolkit of torch's own version at hand, `make setup FORCE_CUDA=1`; "
        'or CUDA_VISIBLE_DEVICES= (empty) to train on the CPU.',
    )


def triton(facts: Facts) -> Fault | None:
    """No Triton where there is a card to run it on."""
    if 'CUDA' in facts.errors or 'triton' not in facts.errors:
        return None
    return Fault(
        f'there is a CUDA device, but Triton cannot be imported: {last_line(facts.errors["triton"])}.',
        '`pip install triton` in the version that this torch names (`pip show torch`); until then '
        "backend='chunked' works.",
    )


def mmdet_import(facts: Facts) -> Fault | None:
    """mmdet that fails for a reason that no other check names."""
    others = {'torch', 'torchvision', 'pkg_resources', 'cv2', 'mmcv._ext'}
    if 'mmdet' not in facts.errors or others & set(facts.errors):
        return None
    return Fault(f'mmdet cannot be imported: {last_line(facts.errors["mmdet"])}.', SETUP)


def last_line(text: str) -> str:
    """Returns the line of a traceback that says what happened."""
    lines = text.strip().splitlines()
    return lines[-1].strip().rstrip('.') if lines else 'no message'


# What package metadata alone decides, and the package cannot work with: asserted on import.
IMPORT_CHECKS = (
    Check('Python', python_version),
    *(version_check(bound) for bound in PACKAGES),
    Check('numpy with torch', numpy_and_torch),
    Check('torchvision with torch', torchvision_and_torch),
)
ALL_CHECKS = (
    *IMPORT_CHECKS,
    Check('numpy with Triton', numpy_and_triton),
    Check('torch imports', torch_import),
    Check('pkg_resources', pkg_resources),
    Check('OpenCV', opencv),
    Check('mmcv._ext', mmcv_ops),
    Check('CUDA ops of mmcv', mmcv_cuda_ops),
    Check('Triton on CUDA', triton),
    Check('mmdet imports', mmdet_import),
)


def require(facts: Facts) -> None:
    """Raises when the versions installed cannot work.

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
