"""The version bounds, in one place for packaging, import and the doctor; standard library alone."""

from __future__ import annotations

import re
from typing import NamedTuple


class Bound(NamedTuple):
    """A half-open range of versions.

    Attributes:
        package: The distribution's name.
        minimum: First release that works.
        below: First release that is known or expected not to.
    """

    package: str
    minimum: tuple[int, ...]
    below: tuple[int, ...]

    def admits(self, version: str) -> bool:
        """Says whether a version lies within the bounds."""
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
    """Write a release tuple as people do."""
    return '.'.join(str(number) for number in numbers)


PYTHON = Bound('python', (3, 10), (3, 13))

# mmcv's and mmengine's are mmdet 3.3's own.
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
