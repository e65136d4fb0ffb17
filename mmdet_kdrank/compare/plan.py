"""What is compared: variants, seeds, pairs, and where they are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmdet_kdrank.compare.run_settings import data_of
from mmdet_kdrank.datasets.shapes import ShapesSpec
from mmdet_kdrank.errors import ArgumentError, MissingFileError, UnknownNameError

_TAKEN = ('teacher', 'shapes')


@dataclass(frozen=True)
class Plan:
    """Variants that are trained with the same seeds.

    Args:
        name: Title of its tables.
        folder: Where everything is written.
        seeds: One training of every variant for each.
        variants: Whole configs by the variant's name; ``randomness.seed`` is still to come.
        baseline: Variant that each other one is compared with.
        pairs: Further pairs, (variant, reference).
        teacher: Config of the teacher that is trained first; None where the variants' configs
            name a teacher, or have none.
        pictures: The embedded data set; None where the configs name another.

    Raises:
        ValueError: If there are fewer than two variants, one whose name cannot be a folder's, no
            seed, one seed twice, or variants on different data.
        KeyError: If the baseline or a pair names a variant that is not there.
    """

    name: str
    folder: Path
    seeds: tuple[int, ...]
    variants: Mapping[str, Config]
    baseline: str
    pairs: tuple[tuple[str, str], ...] = ()
    teacher: Config | None = None
    pictures: ShapesSpec | None = None

    def __post_init__(self) -> None:
        if len(self.variants) < 2:
            raise ArgumentError(
                f'{self.name} has {len(self.variants)} variant(s), and a comparison needs two: '
                'give another config, or another entry of variants.'
            )
        for name in self.variants:
            if name in (*_TAKEN, '', '..') or Path(name).name != name:
                raise ArgumentError(
                    f'The variant {name!r} needs another name: its folder is called after it, so '
                    f'it can be no path, nor one of {", ".join(_TAKEN)}.'
                )
        if not self.seeds or len({*self.seeds}) < len(self.seeds):
            raise ArgumentError(
                f'seeds={list(self.seeds)} must be one or more different numbers: give --seeds 5, '
                'or seeds = 5 or a list of numbers in the plan.'
            )
        for name in (self.baseline, *(name for pair in self.pairs for name in pair)):
            if name not in self.variants:
                raise UnknownNameError(
                    f'{name!r} is no variant of {self.name}. There are '
                    f'{", ".join(self.variants)}: correct baseline or pairs.'
                )
        first, *others = self.variants
        for name in others:
            _assert_same_data(first, self.variants[first], name, self.variants[name])

    @property
    def comparisons(self) -> tuple[tuple[str, str], ...]:
        """All pairs, (variant, reference): each variant against the baseline, then the others."""
        against = [(name, self.baseline) for name in self.variants if name != self.baseline]
        return tuple(dict.fromkeys([*against, *self.pairs]))

    @property
    def data(self) -> Path:
        """Folder of the embedded data set."""
        return self.folder / 'shapes'

    def assert_teachers_exist(self) -> None:
        """Refuse to begin where a variant's teacher is missing.

        Raises:
            FileNotFoundError: If a checkpoint on this machine does not exist.
        """
        for name, config in self.variants.items():
            checkpoint = config.model.get('teacher', {}).get('checkpoint')
            if self.teacher or checkpoint in (None, 'auto') or '://' in checkpoint:
                continue
            if not Path(checkpoint).expanduser().is_file():
                raise MissingFileError(
                    f'{name}: model.teacher.checkpoint {checkpoint} does not exist. Correct the '
                    "path, or let a plan train the teacher first: teacher = dict(config='…')."
                )


def _assert_same_data(name: str, config: Config, other_name: str, other: Config) -> None:
    ours, theirs = data_of(config), data_of(other)
    for key in {**ours, **theirs}:
        if ours.get(key) != theirs.get(key):
            raise ArgumentError(
                f'{name} and {other_name} have different data: {key} is {ours.get(key)!r} and '
                f'{theirs.get(key)!r}. Their difference would be that of the data as well; give '
                'both the same.'
            )
