"""What this package needs of its environment, and every known fault with its mend."""

from mmdet_kdrank.environment.facts import Facts, gather, installed
from mmdet_kdrank.environment.fault import Check, Fault
from mmdet_kdrank.environment.known_faults import (
    ALL_CHECKS,
    IMPORT_CHECKS,
    EnvironmentFault,
    require,
)

__all__ = [
    'ALL_CHECKS',
    'IMPORT_CHECKS',
    'Check',
    'EnvironmentFault',
    'Facts',
    'Fault',
    'gather',
    'installed',
    'require',
]
