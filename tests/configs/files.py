"""The shipped config files, found by glob so that a new one is tested without being listed."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'
ALL = sorted(
    str(path.relative_to(CONFIGS))
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.relative_to(CONFIGS).parts
)
ON_COCO = [name for name in ALL if name.endswith('_coco.py')]
QUERIES = [name for name in ON_COCO if name.startswith(('deformable_detr/', 'dino/'))]
COCO = [name for name in ON_COCO if name not in QUERIES]
"""The configs of two-stage and dense detectors, whose file names follow :data:`NAME`."""
NAME = re.compile(
    r'(?P<folder>\w+)/(?P<family>[a-z-]+)_(?P<teacher>\w+?)-(?P<student>\w+?)'
    r'_(?P<features>pkd-)?(?P<kd>[a-z]+)(?P<rank>-rank)?(?P<candidates>-crank|-rm)?'
    r'_(?P<schedule>1x|180k|ms-180k)_coco\.py'
)


@cache
def parsed(name: str) -> Config:
    """The parsed config; copy it before changing anything."""
    return Config.fromfile(CONFIGS / name)


def parts(name: str) -> dict[str, str | None]:
    """What a COCO config's file name says."""
    match = NAME.fullmatch(name)
    assert match, (
        f'{name} is not FOLDER/FAMILY_TEACHER-STUDENT_[FEATURES-]KD[-rank][-crank|-rm]_SCHEDULE'
        '_coco.py'
    )
    return match.groupdict()
