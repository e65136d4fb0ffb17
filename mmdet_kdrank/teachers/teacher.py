"""Building, loading and freezing the teacher."""

from __future__ import annotations

import copy
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hub import get_config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmdet_kdrank.distributed import on_all_ranks
from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError, StateError, UnknownNameError
from mmdet_kdrank.ops.checks import blamed_on
from mmdet_kdrank.ops.suggestions import did_you_mean
from mmdet_kdrank.random_states import kept_random_states
from mmdet_kdrank.scopes import build, find


@dataclass(frozen=True)
class TeacherSource:
    """Where the teacher comes from; reads no file until :meth:`load`.

    Args:
        config: Path of a config, an ``mmdet::`` name, or the config dict of a model.
        checkpoint: Path or URL, or ``'auto'`` for the weights that the model index publishes for
            an ``mmdet::`` config.
        channels_last: Whether the teacher computes with the channels innermost in memory.
        verify: Whether, or with which options, the teacher is evaluated before training (see
            :meth:`~mmdet_kdrank.teachers.verification.TeacherCheck.from_option`). None warns.
        scope: Registry scope of a config dict. Defaults to that in which this object is made, the
            student's. A config file has a ``default_scope`` of its own, or MMDetection's.

    Raises:
        TypeError: If the config or the checkpoint has another type.
        ValueError: If ``'auto'`` comes with a config that is no ``package::`` name.
    """

    config: str | dict
    checkpoint: str
    channels_last: bool = False
    verify: bool | dict | None = None
    scope: str = field(default_factory=lambda: _default_scope())

    def __post_init__(self) -> None:
        for name, value, kinds in (
            ('config', self.config, (str, dict)),
            ('checkpoint', self.checkpoint, str),
        ):
            if not isinstance(value, kinds):
                raise ArgumentTypeError(
                    f'teacher.{name}={value!r} is a {type(value).__name__}. Give a path or a '
                    f'{"model config" if name == "config" else "URL"}.'
                )
        if self.checkpoint == 'auto' and not self._in_package():
            raise ArgumentError(
                "teacher.checkpoint='auto' needs an mmdet:: config with published weights, "
                f'and teacher.config is {_shortened(self.config)}. Give the path or URL of the '
                'checkpoint.'
            )

    @classmethod
    def from_config(cls, teacher: dict) -> TeacherSource:
        """Read ``teacher=dict(config=…, checkpoint=…)``; ValueError on a wrong set of keys."""
        if not isinstance(teacher, dict):
            raise ArgumentTypeError(
                f'teacher={teacher!r} must be a dict: give dict(config=…, checkpoint=…).'
            )
        keys = {'config', 'checkpoint', 'channels_last', 'verify'}
        if wrong := {'config', 'checkpoint'} ^ (set(teacher) - {'channels_last', 'verify'}):
            hints = [did_you_mean(key, keys) for key in sorted(wrong - keys)]
            raise ArgumentError(
                'teacher takes the keys config and checkpoint, and may have channels_last and '
                f'verify, got {sorted(teacher)}: {", ".join(sorted(wrong))} is unknown or missing.'
                + ''.join(hints)
            )
        return cls(**teacher)

    def expect_verified(self, verified: bool) -> None:
        """Raise RuntimeError if it should have been verified; warn if nobody asked about it."""
        if self.verify not in (None, False) and not verified:
            raise StateError(
                'teacher.verify is set, but the teacher was not verified. Add '
                "default_hooks=dict(verify_teacher=dict(type='VerifyTeacherHook')) to the config "
                "(this project's tools/train.py does), or set teacher.verify=False."
            )
        if self.verify is None:
            print_log(
                f'The teacher ({self.checkpoint}) was not verified. One that detects nothing gives '
                'falling losses too. Set model.teacher.verify=True, which evaluates it on 100 '
                "images of the run's validation set before training. False leaves this warning "
                'out, and is right where a run has no such set.',
                logger='current',
                level=logging.WARNING,
            )

    def _in_package(self) -> bool:
        return isinstance(self.config, str) and '::' in self.config

    def load(self) -> Teacher:
        """Build the teacher, load its weights strictly and freeze it.

        The random states of torch, numpy and Python stay as they were.

        Returns:
            The teacher on the CPU, in eval mode, without gradients.

        Raises:
            FileNotFoundError: If the config is missing.
            CheckpointError: If the checkpoint is missing, unreadable or refused.
            ValueError: If the config holds no detector, the checkpoint's keys do not fit the
                model, or no weights are published for ``'auto'``.
        """
        setting = f'teacher.config ({_shortened(self.config)})'
        with blamed_on(setting, 'Correct the name or the file.'):
            config = self.read_config()
            path = self._published() if self.checkpoint == 'auto' else self.checkpoint
        scope = config.get('default_scope') or 'mmdet'
        unbuilt = blamed_on(setting, 'Give the config that the checkpoint was made with.')
        with unbuilt, kept_random_states(), DefaultScope.overwrite_default_scope(scope):
            model = build(MODELS, config.model)
        # Imported here: evaluation builds no teacher.
        from mmdet_kdrank.checkpoints.detector_weights import class_names, load_strictly
        from mmdet_kdrank.checkpoints.loading import load_checkpoint

        checkpoint = load_checkpoint(path)
        load_strictly(model, checkpoint, path, _shortened(self.config))
        model.requires_grad_(False).eval()
        classes = class_names(checkpoint, path)
        if classes is None:
            with blamed_on(setting, 'Correct the data set, or its metainfo.'):
                classes = dataset_classes(config, scope)
        return Teacher(model, classes, path, self.channels_last)

    def read_config(self) -> Config:
        """Return the config of the teacher's model, and of its data set if it names one."""
        if not isinstance(self.config, str):
            # A copy, because some detectors write into their config.
            model = copy.deepcopy(self.config)
            config = Config(dict(model=model, default_scope=self.scope))
        else:
            # MMEngine would install it, with whichever pip comes first.
            if self._in_package() and find_spec(package := self.config.partition('::')[0]) is None:
                raise ArgumentError(
                    f'{package} is not installed here. Correct the name, or install it.'
                )
            config = get_config(self.config) if self._in_package() else Config.fromfile(self.config)
        if 'type' not in config.get('model', {}):
            raise ArgumentError(
                "it has no model with a type: give a detector's config file, an mmdet:: name, or "
                'the config dict of the model itself.'
            )
        return config

    def _published(self) -> str:
        try:
            return get_config(self.config, pretrained=True).model_path
        except (AssertionError, AttributeError) as error:
            raise ArgumentError(
                f"teacher.checkpoint='auto': the model index publishes no weights for "
                f'{self.config}. Give the path or URL of a checkpoint.'
            ) from error


@dataclass(frozen=True)
class Teacher:
    """A loaded, frozen detector.

    It is no module on purpose, so that no module saves, optimises or synchronises it.

    Args:
        model: The detector.
        classes: Names of its classes; None if they are not known.
        checkpoint: Path or URL of its weights.
        channels_last: Whether it computes with the channels innermost in memory.
    """

    model: nn.Module
    classes: tuple[str, ...] | None
    checkpoint: str
    channels_last: bool = False

    def __post_init__(self) -> None:
        if self.channels_last:
            self.model.to(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the levels of the neck, (B, C, H / stride, W / stride), of images (B, 3, H, W)."""
        if self.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        levels = self.model.extract_feat(images)
        # mmcv's RoIAlign reads any input as contiguous, and is silently wrong on other layouts.
        return tuple(level.contiguous() for level in levels)

    @contextmanager
    def contiguous(self) -> Iterator[None]:
        """Make the model contiguous, so that it may be called itself with mmcv's RoIAlign."""
        if self.channels_last:
            self.model.to(memory_format=torch.contiguous_format)
        yield
        if self.channels_last:
            self.model.to(memory_format=torch.channels_last)


def load_on_all_ranks(source: TeacherSource) -> Teacher:
    """Load the teacher on every rank, or on none.

    On each machine one process loads first, so that a URL is fetched once there.

    Raises:
        Exception: If ``source.load()`` raises it on this rank.
        OtherRankError: If another rank could not load it.
        ValueError: If the ranks have loaded different teachers.
    """
    if get_world_size() == 1:
        return source.load()
    goes_first = int(os.environ.get('LOCAL_RANK', get_rank())) == 0
    early = on_all_ranks(lambda: source.load() if goes_first else None)
    teacher = on_all_ranks(lambda: early or source.load())
    identities = all_gather_object((_digest(teacher), teacher.classes))
    for rank, identity in enumerate(identities):
        if identity != identities[0]:
            part = 'weights' if identity[0] != identities[0][0] else 'class names'
            raise ArgumentError(
                f'The teacher that rank {rank} of {len(identities)} loaded from '
                f'{source.checkpoint} has other {part} than that of rank 0. Give every machine '
                'the same file.'
            )
    return teacher


def _digest(teacher: Teacher) -> str:
    digest = hashlib.sha256()
    for name, tensor in teacher.model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def dataset_classes(config: Config, scope: str) -> tuple[str, ...] | None:
    """Return the class names of a config's training set, read from no file; None if unknown."""
    from mmdet_kdrank.checkpoints.detector_weights import as_names

    dataset = (config.get('train_dataloader') or {}).get('dataset')
    while dataset is not None and 'type' in dataset:
        inner = dataset.get('dataset') or next(iter(dataset.get('datasets', [])), None)
        if inner is None:
            kind = find(DATASETS, dataset.type, dataset.get('_scope_', scope))
            if kind is None:
                raise UnknownNameError(
                    f'the checkpoint has no class names, and the data set {dataset.type} is not '
                    f'registered in the scope {scope}. Name its module in custom_imports.'
                )
            # A data set that is not MMEngine's knows no names but those in the config.
            read = getattr(kind, '_load_metainfo', lambda metainfo: metainfo or {})
            return as_names(read(dataset.get('metainfo')).get('classes'))
        dataset = inner
    return None


def _shortened(config: str | dict) -> str:
    if isinstance(config, str):
        return config
    kind = config.get('type')
    return f'a dict of type {getattr(kind, "__name__", kind)!r}'


def _default_scope() -> str:
    scope = DefaultScope.get_current_instance()
    # A runner without a scope is in MMEngine's, whose registries MMDetection's extend.
    return 'mmdet' if scope is None or scope.scope_name == 'mmengine' else scope.scope_name
