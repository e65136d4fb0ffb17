"""One training step of a stock detector, distilling and plain."""

from __future__ import annotations

from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn

from experiments.survey.distilling import LOSSES, distilling
from mmdet_kdrank.check.random_batch import Sizes, random_batch
from mmdet_kdrank.check.readiness import CLOCK


def distilling_step(model: dict, sizes: Sizes, folder: Path) -> None:
    """Train a stock model for a step, with a teacher of the same config and another seed.

    Args:
        model: The model of a stock config, without pretrained weights.
        sizes: Height and width of each image.
        folder: Folder for the teacher's checkpoint.

    Raises:
        AssertionError: If the step breaks a condition of a distilling step.
        Exception: Any error of building or training the detector.
    """
    checkpoint = folder / 'teacher.pth'
    # Built first: a student that is refused needs no teacher.
    student = _built(distilling(model, str(checkpoint)), seed=0)
    keys = _save_teacher(model, checkpoint)
    student.init_weights()
    assert student.state_dict().keys() == keys, 'its checkpoint has not the keys of a stock one'
    log = _losses(student, model, sizes)
    _check_distillation(log, student)
    _update(student, log)


def stock_step(model: dict, sizes: Sizes) -> None:
    """Train a stock model for a step, without a teacher.

    Args:
        model: The model of a stock config, without pretrained weights.
        sizes: Height and width of each image.

    Raises:
        Exception: Any error of building or training the detector.
    """
    student = _built(model, seed=0)
    student.init_weights()
    _update(student, _losses(student, model, sizes))


def _built(model: dict, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    # A copy, because some detectors write into their config. mmcv's SyncBN has no CPU version.
    return revert_sync_batchnorm(MODELS.build(ConfigDict(model)))


def _save_teacher(model: dict, checkpoint: Path) -> set[str]:
    """Write weights of another seed and return the keys of the stock model's state."""
    teacher = _built(model, seed=1)
    teacher.init_weights()
    with torch.no_grad():
        for name, weight in teacher.named_parameters():
            # A fresh head gives nearly the same logits to all classes, with any seed.
            if _classifies(name) and name.endswith('.bias'):
                weight.add_(torch.randn_like(weight))
    state = teacher.state_dict()
    torch.save(dict(state_dict=state), checkpoint)
    return set(state)


def _losses(student: nn.Module, model: dict, sizes: Sizes) -> dict:
    for name, value in CLOCK.items():
        MessageHub.get_current_instance().update_info(name, value)
    student.train()
    data = student.data_preprocessor(random_batch(model, sizes), training=True)
    return student(**data, mode='loss')


def _check_distillation(log: dict, student: nn.Module) -> None:
    """Check that each distilled head logs its losses, and that each loss alone has a gradient."""
    prefixes = [name.removesuffix('loss_kd') for name in log if name.endswith('loss_kd')]
    assert prefixes, f'no distillation loss among {", ".join(log)}'
    # The head's weights alone: a backward pass through the backbone would take most of the time.
    weights = [weight for name, weight in student.named_parameters() if _classifies(name)]
    for prefix in prefixes:
        names = {prefix + name for name in (*LOSSES, 'distill_tau', 'distill_top1')}
        assert names <= log.keys(), f'not logged: {", ".join(sorted(names - log.keys()))}'
        for name in LOSSES:
            gradients = torch.autograd.grad(
                log[prefix + name], weights, retain_graph=True, allow_unused=True
            )
            assert any(g is not None and g.any() for g in gradients), (
                f'{prefix}{name} has no gradient'
            )


def _classifies(name: str) -> bool:
    """Return whether a weight is of a head that may give class logits (SOLO's is a mask head)."""
    return 'bbox_head.' in name or name.startswith('mask_head.')


def _update(student: nn.Module, log: dict) -> None:
    optimizer = build_optim_wrapper(
        student, dict(optimizer=dict(type='SGD', lr=1e-4), clip_grad=dict(max_norm=1.0))
    )
    total, values = student.parse_losses(log)
    _assert_finite(values)
    optimizer.update_params(total)
    _assert_finite(student.state_dict())


def _assert_finite(values: dict[str, Tensor]) -> None:
    nonfinite = [name for name, value in values.items() if not value.isfinite().all()]
    assert not nonfinite, f'not finite: {", ".join(nonfinite)}'
