"""Builds both detectors of a config, distils one batch, and repeats that with student = teacher."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.logging import MessageHub
from mmengine.model import revert_sync_batchnorm
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from mmdet_kdrank.check.random_batch import random_batch
from mmdet_kdrank.distillers import (
    DistillQueryDetector,
    DistillSingleStageDetector,
    DistillSingleStageInstanceSegmentor,
    DistillTwoStageDetector,
)
from mmdet_kdrank.errors import ArgumentTypeError, StateError
from mmdet_kdrank.heads.class_output import ClassOutput, dense_head
from mmdet_kdrank.ops.checks import blamed_on
from mmdet_kdrank.ops.suggestions import class_name
from mmdet_kdrank.scopes import find
from mmdet_kdrank.structures.samples import DistillSamples
from mmdet_kdrank.teachers.teacher import dataset_classes

DISTILLERS = (
    DistillTwoStageDetector,
    DistillSingleStageDetector,
    DistillSingleStageInstanceSegmentor,
    DistillQueryDetector,
)

CLOCK = dict(epoch=0, iter=0, max_epochs=1, max_iters=1)
"""The progress of training that some heads read from the runner."""

IMAGES = 2
"""Most images of the batch."""

OPTIONS = ('priors', 'path_check', 'matching', 'layers')
"""Options of the config that say what is compared."""

IDENTITY_LOSS = dict(loss_kd=dict(type='LogitMSELoss'))
SMALL = 1e-6
"""Largest mean squared difference of logits that two runs of the same weights have."""


def report(config: Config, random: bool) -> Iterator[str]:
    """Distil one batch, and describe it line by line.

    Args:
        config: Config of a distillation.
        random: Whether the batch is random; otherwise it is the first of the training set.

    Yields:
        Lines to print.

    Raises:
        Exception: Whatever is wrong, from building the detectors to the identity.
    """
    model = config.get('model') or {}
    if 'teacher' not in model:
        raise ArgumentTypeError(
            'The config has no model.teacher, so it does not distil. Give the config of a '
            'distillation, as docs/how_to/plugin.md has it.'
        )
    for name, value in CLOCK.items():
        MessageHub.get_current_instance().update_info(name, value)
    batch = _random(config) if random else _first(config)
    student = _built(model)
    if random:
        with blamed_on('--random', 'This project takes another batch: leave --random out.'):
            student.data_preprocessor(batch, training=True)
    yield from _described(student)
    yield from _distilled(student, batch)
    yield from _identity(student, model, batch)


def _first(config: Config) -> Any:
    loader = {**config.train_dataloader, 'num_workers': 0, 'persistent_workers': False}
    if loader.get('batch_size'):
        loader['batch_size'] = min(IMAGES, loader['batch_size'])
    built = Runner.build_dataloader(loader, seed=0)
    MessageHub.get_current_instance().update_info('dataset_meta', built.dataset.metainfo)
    return next(iter(built))


def _random(config: Config) -> Any:
    names = dataset_classes(config, config.get('default_scope') or 'mmdet')
    if names is not None:
        MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=names))
    return random_batch({key: value for key, value in config.model.items() if key != 'teacher'})


def _built(model: dict) -> nn.Module:
    detector = revert_sync_batchnorm(MODELS.build(ConfigDict(without_weights(model))))
    detector.init_weights()
    return detector.to(get_device()).train()


def without_weights(value: Any) -> Any:
    """Copy a config, or a part of one, without entries that name pretrained weights.

    Args:
        value: A config. Its ``teacher`` is left as it is.
    """
    if isinstance(value, dict):
        return {
            key: copy.deepcopy(item) if key == 'teacher' else without_weights(item)
            for key, item in value.items()
            if key != 'pretrained' and not (key == 'init_cfg' and _names_checkpoint(item))
        }
    if isinstance(value, (list, tuple)):
        return type(value)(map(without_weights, value))
    return value


def _names_checkpoint(init_cfg: Any) -> bool:
    entries = init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]
    return any('checkpoint' in (entry or {}) for entry in entries)


def _described(student: nn.Module) -> Iterator[str]:
    session = student.teacher_session
    for side, detector in (('student', student), ('teacher', session.model)):
        yield f'{side}: {class_name(type(detector))}'
        for head, outputs in zip(_heads(detector), session.heads, strict=False):
            yield f'  {class_name(type(head))}: {_output(outputs[side == "teacher"])}'
    yield f'  weights: {session.teacher.checkpoint}'


def _heads(detector: nn.Module) -> list[nn.Module]:
    roi_head = getattr(detector, 'roi_head', None)
    heads = dense_head(detector) if roi_head is None else roi_head.bbox_head
    return list(heads) if isinstance(heads, nn.ModuleList) else [heads]


def _output(output: ClassOutput) -> str:
    last = 'background last' if output.background else 'no background'
    later = ', normalised later' if output.normalised_later else ''
    return f'{output.activation} {output.kind}, {output.num_classes} classes, {last}{later}'


def _distilled(student: nn.Module, batch: Any) -> Iterator[str]:
    chosen: list[tuple[DistillSamples, DistillSamples]] = []
    select = student.distill_terms.selector

    def recorded(samples: DistillSamples) -> DistillSamples:
        chosen.append((samples, select(samples)))
        return chosen[-1][1]

    student.distill_terms.selector = recorded
    losses = _losses(student, batch)
    classes = student.teacher_session.classes
    if classes is not None:
        yield (
            f'classes: {len(classes.student)} in common, of {classes.num_student} of the student '
            f'and {classes.num_teacher} of the teacher'
        )
    for stage, (samples, rows) in enumerate(chosen):
        own = 'none' if samples.avg_factor is None else f'{float(samples.avg_factor):g}'
        yield (
            f'head {stage}: {len(samples)} rows of {samples.student.shape[1]} columns, '
            f"{len(rows)} chosen, normaliser {float(rows.avg_factor):g} (the class loss's own: "
            f'{own})'
        )
    for name, value in losses.items():
        if any(name.endswith(entry) for entry in (*student.distill_factors, 'tau', 'top1')):
            yield f'{name}: {float(value):.4g}'


def _losses(detector: nn.Module, batch: Any) -> dict[str, Any]:
    data = detector.data_preprocessor(batch, training=True)
    return detector(**data, mode='loss')


def _identity(student: nn.Module, model: dict, batch: Any) -> Iterator[str]:
    """Distil the teacher into a copy of itself: no logit may differ."""
    session = student.teacher_session
    if not session.heads:
        yield 'identity: no class logits are compared'
        return
    teacher = session.source.read_config().model
    teacher.setdefault('train_cfg', model.get('train_cfg'))
    own_class = type(session.model)
    # The config's own first: a query-based teacher may be a two-stage detector too.
    kinds = (find(MODELS, model['type']), *DISTILLERS)
    distiller = next(kind for kind in kinds if issubclass(own_class, kind.family))
    options = {key: model[key] for key in OPTIONS if key in model}
    twin = _built(
        dict(
            teacher,
            type=distiller,
            teacher=model['teacher'],
            distill_losses=IDENTITY_LOSS,
            **options,
            **({} if own_class is distiller.family else dict(student_type=own_class)),
        )
    )
    twin.load_state_dict(twin.teacher_session.model.state_dict())
    for module in twin.modules():
        # In training these compute otherwise than the frozen teacher.
        stochastic = (_BatchNorm, _DropoutNd, nn.MultiheadAttention)
        if isinstance(module, stochastic) or 'Drop' in type(module).__name__:
            module.eval()
    losses = _losses(twin, batch)
    gap = max(float(value) for name, value in losses.items() if name.endswith('loss_kd'))
    shares = [float(value) for name, value in losses.items() if name.endswith('distill_top1')]
    share = min(shares, default=1.0)
    yield f'identity (student = teacher): loss_kd {gap:.2g}, top-1 {share:.3f}'
    if gap > SMALL or share < 1:
        raise StateError(
            f'With the teacher as its own student, loss_kd is {gap:.2g} and not 0, top-1 '
            f'{share:.3f} and not 1. So the two sides do not compare the same logits: its training '
            'step and its evaluation differ. Look at what its modules do in training alone.'
        )
