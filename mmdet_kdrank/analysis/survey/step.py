"""Turning a stock detector into the distilling version, and one training step of it."""

from __future__ import annotations

from pathlib import Path

import torch
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn

from .batch import random_batch

LOSSES = dict(
    loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=2),
    loss_rank=dict(type='KendallRankLoss'),
)
CLOCK = dict(epoch=0, iter=0, max_epochs=1, max_iters=1)
"""What a runner tells the heads that look at the training's progress."""


def distilling(model: dict, checkpoint: str) -> ConfigDict:
    """The six lines that make a stock model the distilling version of itself.

    Args:
        model (dict): The model of a stock config.
        checkpoint (str): Path of the teacher's weights, a model of the same config.

    Returns:
        ConfigDict: The model of the distilling config.
    """
    detector = MODELS.get(model['type'])
    two_stage = 'roi_head' in model
    if isinstance(detector, type) and issubclass(detector, (TwoStageDetector, SingleStageDetector)):
        two_stage = issubclass(detector, TwoStageDetector)
    own_class = detector not in (TwoStageDetector, SingleStageDetector)
    return ConfigDict(
        model,
        type='DistillTwoStageDetector' if two_stage else 'DistillSingleStageDetector',
        teacher=dict(config=model, checkpoint=checkpoint),
        distill_losses=LOSSES,
        **(dict(student_type=model['type']) if own_class else {}),
    )


def training_step(model: dict, folder: Path) -> None:
    """Distil a stock model into one of the same config for a step.

    Args:
        model (dict): The model of a stock config, without pretrained weights.
        folder (Path): Where the teacher's checkpoint may lie.

    Raises:
        AssertionError: If the step is not what a distilling step must be.
        Exception: Whatever building or training the detector raises.
    """
    model = ConfigDict(model)
    for name, value in CLOCK.items():
        MessageHub.get_current_instance().update_info(name, value)
    checkpoint = folder / 'teacher.pth'
    torch.manual_seed(0)
    student = MODELS.build(distilling(model, str(checkpoint)))
    keys = _save_teacher(model, checkpoint)
    torch.manual_seed(0)
    student.init_weights()
    student.train()
    assert student.state_dict().keys() == keys, 'the checkpoint is not a stock student checkpoint'

    optimizer = build_optim_wrapper(
        student, dict(optimizer=dict(type='SGD', lr=1e-4), clip_grad=dict(max_norm=1.0))
    )
    data = student.data_preprocessor(random_batch(model), training=True)
    log = student(**data, mode='loss')
    _check(log, student)
    total, values = student.parse_losses(log)
    assert all(value.isfinite() for value in values.values()), f'not finite: {_wrong(values)}'
    optimizer.update_params(total)
    after = student.state_dict()
    assert all(value.isfinite().all() for value in after.values()), 'weights are not finite'


def _check(log: dict, student: nn.Module) -> None:
    """The distillation's part of the log, for each head, and its gradient."""
    prefixes = [name.removesuffix('loss_kd') for name in log if name.endswith('loss_kd')]
    assert prefixes, f'no distillation loss among {", ".join(log)}'
    for prefix in prefixes:
        names = {prefix + name for name in (*LOSSES, 'distill_tau', 'distill_top1')}
        assert names <= log.keys(), f'not logged: {", ".join(sorted(names - log.keys()))}'
        for name in LOSSES:
            weights = [weight for weight in student.parameters() if weight.requires_grad]
            gradients = torch.autograd.grad(
                log[prefix + name], weights, retain_graph=True, allow_unused=True
            )
            assert any(g is not None and g.any() for g in gradients), (
                f'{prefix}{name} has no gradient'
            )


def _save_teacher(model: dict, checkpoint: Path) -> set[str]:
    """Write the weights of another seed; returns the keys of the stock model's state."""
    torch.manual_seed(1)
    teacher = MODELS.build(model)
    teacher.init_weights()
    with torch.no_grad():
        for name, weight in teacher.named_parameters():
            # A fresh head answers nearly the same for all classes, whatever its seed.
            if name.startswith(('bbox_head.', 'roi_head.bbox_head.')) and name.endswith('.bias'):
                weight.add_(torch.randn_like(weight))
    state = teacher.state_dict()
    torch.save(dict(state_dict=state), checkpoint)
    return set(state)


def _wrong(values: dict[str, Tensor]) -> str:
    return ', '.join(name for name, value in values.items() if not value.isfinite())
