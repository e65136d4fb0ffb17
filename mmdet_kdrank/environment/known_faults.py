"""Every known fault, and the assertion on import."""

from __future__ import annotations

from mmdet_kdrank.environment import imports, versions
from mmdet_kdrank.environment.bounds import PACKAGES
from mmdet_kdrank.environment.facts import Facts
from mmdet_kdrank.environment.fault import Check


class EnvironmentFault(ImportError):
    """The package was imported where it cannot work."""


# What package metadata alone decides, and the package cannot work with: asserted on import.
IMPORT_CHECKS = (
    Check('Python', versions.python_version),
    *(versions.version_check(bound) for bound in PACKAGES),
    Check('numpy with torch', versions.numpy_and_torch),
    Check('torchvision with torch', versions.torchvision_and_torch),
)
ALL_CHECKS = (
    *IMPORT_CHECKS,
    Check('numpy with Triton', versions.numpy_and_triton),
    Check('torch imports', imports.torch_import),
    Check('pkg_resources', imports.pkg_resources),
    Check('OpenCV', imports.opencv),
    Check('mmcv._ext', imports.mmcv_ops),
    Check('CUDA ops of mmcv', imports.mmcv_cuda_ops),
    Check('Triton on CUDA', imports.triton),
    Check('mmdet imports', imports.mmdet_import),
)


def require(facts: Facts) -> None:
    """Raise when the versions installed cannot work.

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
