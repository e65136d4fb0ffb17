"""The version bounds of the two families of packages that contain MMDetection.

The standard library alone is imported here, and nothing of this package: `setup.py` runs this file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple


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

SHARED = {
    'torch': Bound('torch', (2, 1), (3,)),
    'torchvision': Bound('torchvision', (0, 16), (1,)),
    'numpy': Bound('numpy', (1, 24), (3,)),
    'pycocotools': Bound('pycocotools', (2, 0), (3,)),
}
"""The bounds that hold with either family, by package."""

MODULES = ('mmengine', 'mmcv', 'mmdet')


class Family(NamedTuple):
    """Distributions that install the modules `mmengine`, `mmcv` and `mmdet`.

    Attributes:
        name: Who publishes them.
        setup: The command that installs them in a checkout.
        bounds: Bounds of the three by module, and what else they need by package.
    """

    name: str
    setup: str
    bounds: Mapping[str, Bound]

    def requirements(self) -> list[str]:
        """Return the bounds as pip takes them, for the extra that installs this family."""
        # mmdet 3.3 itself refuses mmcv 2.2, unless its check is changed by hand.
        capped = ['mmcv<2.2'] if self.name == 'OpenMMLab' else []
        return [*map(str, self.bounds.values()), *capped]

    def installed(self, versions: Mapping[str, str]) -> dict[str, str]:
        """Return the versions of its distributions that are installed."""
        names = [self.bounds[module].package for module in MODULES]
        return {name: versions[name] for name in names if name in versions}


FAMILIES = (
    Family(
        'OpenMMLab',
        'run `make setup STACK=openmmlab` in the checkout, which installs the pinned versions into '
        '.venv-openmmlab.',
        {
            'mmengine': Bound('mmengine', (0, 10), (1,)),
            'mmcv': Bound('mmcv', (2, 0, 0), (2, 3, 0)),
            'mmdet': Bound('mmdet', (3, 1, 0), (3, 4, 0)),
            # mmcv and mmengine import pkg_resources, which setuptools 81 no longer contains.
            'setuptools': Bound('setuptools', (60,), (81,)),
        },
    ),
    Family(
        'OneDL',
        'run `make setup` in the checkout, which installs the pinned versions into .venv.',
        {
            'mmengine': Bound('onedl-mmengine', (0, 10, 12), (1,)),
            'mmcv': Bound('onedl-mmcv', (2, 3), (2, 4)),
            'mmdet': Bound('onedl-mmdetection', (3, 5), (3, 6)),
            'torch': Bound('torch', (2, 4), (3,)),
        },
    ),
)
