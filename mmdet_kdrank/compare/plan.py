"""What is compared: variants, seeds, pairs, and where they are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdet_kdrank.compare.run_settings import data_of, read_config
from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, shapes_options
from mmdet_kdrank.errors import ArgumentError, MissingFileError, UnknownNameError
from mmdet_kdrank.ops.checks import blamed_on

_RESERVED = ('teacher', 'shapes')
_KEYS = {
    *('name', 'seeds', 'baseline', 'variants', 'options', 'shapes', 'teacher', 'pairs'),
    'work_dir',
}
_TEACHER_SEED = 0


@dataclass(frozen=True)
class Plan:
    """Variants that are trained with the same seeds.

    Args:
        name: Title of its tables.
        folder: Where everything is written.
        seeds: Every variant is trained once with each.
        variants: Whole configs by the variant's name, still without ``randomness.seed``.
        baseline: Variant that the others are compared with.
        pairs: Further pairs, (variant, reference).
        teacher: Config of the teacher that is trained first; None where the variants' configs
            name a teacher, or have none.
        images: The embedded data set; None where the configs name another.

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
    images: ShapesSpec | None = None

    def __post_init__(self) -> None:
        if len(self.variants) < 2:
            raise ArgumentError(
                f'{self.name} has {len(self.variants)} variant(s), and a comparison needs two: '
                'give another config, or another entry of variants.'
            )
        for name in self.variants:
            if name in (*_RESERVED, '', '..') or Path(name).name != name:
                raise ArgumentError(
                    f'The variant {name!r} needs another name: its folder is called after it, so '
                    f'it can be no path, nor one of {", ".join(_RESERVED)}.'
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


def read_plan(
    path: Path | str,
    seeds: int | None = None,
    folder: Path | None = None,
    baseline: str = '',
    options: Mapping[str, Any] | None = None,
) -> Plan:
    """Read a plan, which is a config file of MMEngine.

    Args:
        path: Of the file. Paths of configs in it are relative to the folder of the command.
        seeds: Number of seeds: the first of the plan's list, or those from 0 on.
        folder: Replaces the plan's ``work_dir``, by default ``work_dirs/compare/NAME``.
        baseline: Replaces the plan's.
        options: Further overrides for all variants.

    Raises:
        FileNotFoundError: If the file or a config does not exist.
        ValueError: If keys are unknown or missing, or as :class:`Plan` says.
    """
    with blamed_on(f'--plan {path}', 'Correct the path or the file.'):
        content = Config.fromfile(path).to_dict()
    content = {key: value for key, value in content.items() if not key.startswith('_')}
    wrong = set(content) - _KEYS or {'variants'} - set(content)
    if wrong:
        raise ArgumentError(
            f'{path}: {", ".join(sorted(wrong))} is unknown or missing. A plan has variants and '
            f'may have {", ".join(sorted(_KEYS - {"variants"}))}; helpers need a name that starts '
            'with an underscore.'
        )
    name = content.get('name', Path(path).stem)
    folder = Path(folder or content.get('work_dir') or f'work_dirs/compare/{name}').absolute()
    images = None
    if 'shapes' in content:
        with blamed_on(f'{path}: shapes', 'It takes seed, num_train, num_val and size.'):
            images = ShapesSpec(**content['shapes'])
    teacher = None
    if 'teacher' in content:
        teacher = _entry(f'{path}: teacher', content['teacher'], {})
        teacher.merge_from_dict({'randomness.seed': _TEACHER_SEED})
    variants = {
        key: _entry(f'{path}: variants.{key}', entry, content.get('options', {}), options)
        for key, entry in content['variants'].items()
    }
    if images:
        for config in (*variants.values(), *([teacher] if teacher else ())):
            config.merge_from_dict(shapes_options(folder / 'shapes'))
    return Plan(
        name=name,
        folder=folder,
        seeds=_seeds(seeds, content.get('seeds', 5)),
        variants=variants,
        baseline=baseline or content.get('baseline') or next(iter(variants), ''),
        pairs=tuple(tuple(pair) for pair in content.get('pairs', ())),
        teacher=teacher,
        images=images,
    )


def plan_of_configs(
    paths: Sequence[str],
    seeds: int,
    folder: Path | None = None,
    baseline: str = '',
    options: Mapping[str, Any] | None = None,
) -> Plan:
    """Make a plan of configs without a plan's file.

    Args:
        paths: Of the configs, or ``mmdet::`` names; a variant has the name of its file.
        seeds: Number of seeds, from 0 on.
        folder: Where everything is written, by default ``work_dirs/compare/FIRST-SECOND…``.
        baseline: Name or path of one of them, by default the first.
        options: Overrides for all of them.

    Raises:
        ValueError: If two files have the same name, or as :class:`Plan` says.
    """
    names = [Path(path.split('::')[-1]).stem for path in paths]
    if len({*names}) < len(names):
        raise ArgumentError(
            f'Two of the configs have the same file name ({", ".join(names)}), by which tables '
            'and folders call them. Give them other names, or write a plan.'
        )
    variants = {
        name: _entry(path, dict(config=path), options or {})
        for name, path in zip(names, paths, strict=True)
    }
    folder = Path(folder or f'work_dirs/compare/{"-".join(names)}').absolute()
    baseline = Path(baseline.split('::')[-1]).stem if baseline else next(iter(names), '')
    return Plan(folder.name, folder, _seeds(seeds, 0), variants, baseline)


def _entry(
    where: str, entry: Any, common: Mapping[str, Any], last: Mapping[str, Any] | None = None
) -> Config:
    if not isinstance(entry, dict) or set(entry) - {'options'} != {'config'}:
        raise ArgumentError(
            f"{where} must be dict(config='PATH', options={{'dotted.key': value}}), the options "
            f'optional, got {entry!r}.'
        )
    config = read_config(entry['config'], where)
    config.merge_from_dict({**common, **entry.get('options', {}), **(last or {})})
    return config


def _seeds(wanted: int | None, planned: int | Sequence[int]) -> tuple[int, ...]:
    if wanted is not None and wanted < 1:
        raise ArgumentError(f'--seeds {wanted} must be at least 1.')
    if isinstance(planned, int):
        return tuple(range(planned if wanted is None else wanted))
    if wanted is not None and wanted > len(planned):
        raise ArgumentError(
            f'--seeds {wanted}, and the plan lists only {len(planned)}: {list(planned)}. Add seeds '
            'to its list.'
        )
    return tuple(planned[:wanted])


def _assert_same_data(name: str, config: Config, other_name: str, other: Config) -> None:
    data, other_data = data_of(config), data_of(other)
    for key in {**data, **other_data}:
        if data.get(key) != other_data.get(key):
            raise ArgumentError(
                f'{name} and {other_name} have different data: {key} is {data.get(key)!r} and '
                f'{other_data.get(key)!r}. Their difference would be that of the data as well; '
                'give both the same.'
            )
