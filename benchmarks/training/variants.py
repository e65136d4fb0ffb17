"""A training step in the ways that are compared."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from logging import WARNING
from pathlib import Path
from typing import NamedTuple

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from torch import nn

from benchmarks.training.batches import make_batch
from benchmarks.training.settings import Setting

VARIANTS = {
    'student': 'the stock detector',
    'teacher': "and the teacher's logits on the student's rows, without a loss",
    'kd': 'and the KL loss and the agreement in the log',
    'kd_rank': 'and the ranking loss',
    'kd_rank_full_teacher': 'the same with nothing cut from the teacher',
    'kd_rank_second_pass': "the same with the student's RoIs pooled and classified twice",
}


def variants_of(family: str) -> tuple[str, ...]:
    """Names of the variants that a family has; only one with a RoI head can run it twice."""
    names = dict.fromkeys(VARIANTS)
    if family != 'faster_rcnn':
        del names['kd_rank_second_pass']
    return tuple(names)


class Job(NamedTuple):
    """All that a variant is built from; it pickles.

    Attributes:
        setting: What is trained.
        config: The distilling detector with both losses, its teacher's checkpoint included.
    """

    setting: Setting
    config: ConfigDict


def prepare(setting: Setting, folder: Path) -> Job:
    """Read the configs and writes a checkpoint of a teacher with random weights.

    Args:
        setting: What is trained.
        folder: Where the checkpoint goes.
    """
    _set_up()
    config = setting.config()
    torch.manual_seed(1)
    model = MODELS.build(config.teacher.config)
    model.init_weights()
    for name, parameter in model.named_parameters():
        # A head begins with nearly equal logits, which are the easy case of a ranking.
        if 'cls' in name and 'rpn' not in name:
            scale = 1.0 if name.endswith('bias') else 0.1
            parameter.data.add_(scale * torch.randn_like(parameter))
    config.teacher.checkpoint = str(folder / 'teacher.pth')
    torch.save(dict(state_dict=model.state_dict()), config.teacher.checkpoint)
    return Job(setting, config)


def make_detector(job: Job, variant: str, device: str = 'cpu') -> nn.Module:
    """Build the detector of a variant, in training mode.

    Args:
        job: What :func:`prepare` returned.
        variant: One of :func:`variants_of`.
        device: Its device.

    Raises:
        ValueError: If the family has no such variant.
    """
    known = variants_of(job.setting.family)
    if variant not in known:
        raise ValueError(
            f'{job.setting.family} has no variant {variant!r}, only {", ".join(known)}.'
        )
    _set_up()
    config = deepcopy(job.config)
    if variant == 'student':
        config = _stock(config)
    elif variant == 'kd':
        del config.distill_losses.loss_rank
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    _CHANGES.get(variant, lambda _: None)(model)
    return model.to(device).train()


def make_step(job: Job, variant: str, device: str = 'cpu') -> Callable[[], dict]:
    """Make a call that trains for one step, preprocessing and optimizer included.

    At a learning rate of 0, so that every call does the same work. Arguments as those of
    :func:`make_detector`.
    """
    model = make_detector(job, variant, device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=1e-4)
    wrapper = OptimWrapper(optimizer)
    batch = make_batch(job.setting)
    return lambda: model.train_step(batch, wrapper)


def _set_up() -> None:
    """Do what MMEngine's runner does, without a page of initialisations for each detector."""
    register_all_modules(init_default_scope=True)
    MMLogger.get_current_instance().setLevel(WARNING)


def _stock(config: ConfigDict) -> ConfigDict:
    for key in ('teacher', 'distill_losses', 'selector'):
        config.pop(key, None)
    config.type = 'TwoStageDetector' if 'roi_head' in config else 'SingleStageDetector'
    return config


def _without_losses(model: nn.Module) -> None:
    model.distill_terms._distill_head = lambda *_: {}


def _with_full_teacher(model: nn.Module) -> None:
    model.teacher_session.trim = lambda *_: None


def _with_second_pass(model: nn.Module) -> None:
    levels = []
    model.neck.register_forward_hook(lambda _, __, output: levels.append(output))
    compare = model.compare

    def classified_again(captured: list[list], features: tuple) -> object:
        student_levels = levels.pop()
        classified = [
            [
                replace(
                    record,
                    output=model.roi_head._bbox_forward(student_levels, record.rois)['cls_score'],
                )
                for record in stage
            ]
            for stage in captured
        ]
        return compare(classified, features)

    model.compare = classified_again


_CHANGES: dict[str, Callable[[nn.Module], None]] = {
    'teacher': _without_losses,
    'kd_rank_full_teacher': _with_full_teacher,
    'kd_rank_second_pass': _with_second_pass,
}
