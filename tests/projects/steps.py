"""A step of distillation in another project, and the same step with the teacher's own weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import mmdet_kdrank  # noqa: F401
from tests.detectors import KD, RANK


def installed(name: str) -> ModuleType:
    """Import a project, or skip the tests of a module."""
    try:
        module = import_module(name)
        import_module(f'{name}.models')
    except (ImportError, AssertionError) as error:
        pytest.skip(f'{name} is in no stack of this project: {error}', allow_module_level=True)
    return module


def from_scratch(config: Any) -> Any:
    """Leave out trained weights and what needs several processes, in place."""
    if isinstance(config, dict):
        config.pop('init_cfg', None)
        if config.get('type') == 'SyncBN':
            config['type'] = 'BN'
    parts = config.values() if isinstance(config, dict) else config
    for part in parts if isinstance(config, (dict, list, tuple)) else ():
        from_scratch(part)
    return config


def distiller(model: dict, teacher: dict, folder: Path, **changes: Any) -> nn.Module:
    """Build a distiller over a model's own class, with a teacher whose logits differ."""
    torch.manual_seed(1)
    trained = MODELS.build(copy.deepcopy(teacher))
    trained.init_weights()
    for name, parameter in trained.named_parameters():
        if ('cls' in name or 'convs_pred' in name) and 'rpn' not in name:
            parameter.data += 0.1 * torch.randn_like(parameter)
    torch.save(dict(state_dict=trained.state_dict()), folder / 'teacher.pth')
    config = dict(
        copy.deepcopy(model),
        type='DistillTwoStageDetector' if 'roi_head' in model else 'DistillSingleStageDetector',
        student_type=model['type'],
        teacher=dict(config=copy.deepcopy(teacher), checkpoint=str(folder / 'teacher.pth')),
        **dict(distill_losses=dict(loss_kd=KD, loss_rank=RANK)) | changes,
    )
    torch.manual_seed(0)
    student = MODELS.build(config)
    student.init_weights()
    return student.train()


def rows_of(student: nn.Module, batch: dict) -> tuple[list, dict]:
    """Train a step; the rows that the selector was given, head by head, and the losses."""
    rows, select = [], student.distill_terms.selector
    student.distill_terms.selector = lambda samples: rows.append(samples) or select(samples)
    torch.manual_seed(0)
    losses, values = student.parse_losses(
        student(**student.data_preprocessor(batch, True), mode='loss')
    )
    losses.backward()
    return rows, {name: float(value) for name, value in values.items()}


def check_family(model: dict, folder: Path, batch: Callable[[], dict]) -> None:
    """Check a step with a teacher, the student's own losses in it, and the identity."""
    student = distiller(model, model, folder)
    rows, values = rows_of(student, batch())
    assert all(
        len(samples) and not torch.equal(samples.student, samples.teacher) for samples in rows
    )
    added = {name for name in values if 'kd' in name or 'rank' in name}
    assert len(added) == 2 * len(rows) and all(values[name] > 0 for name in added)

    plain = MODELS.build(copy.deepcopy(model)).train()
    fresh = distiller(model, model, folder)
    plain.load_state_dict(fresh.state_dict())
    torch.manual_seed(0)
    _, own = plain.parse_losses(plain(**plain.data_preprocessor(batch(), True), mode='loss'))
    own.pop('loss')
    assert {name: float(value) for name, value in own.items()} == {
        name: values[name] for name in own
    }

    same = distiller(model, model, folder)
    same.load_state_dict(torch.load(folder / 'teacher.pth')['state_dict'])
    for module in same.modules():
        if isinstance(module, (_BatchNorm, nn.Dropout)):
            module.eval()
    rows, values = rows_of(same, batch())
    for samples in rows:
        assert torch.equal(samples.student, samples.teacher)
    for name in values:
        if name.endswith('loss_kd'):
            assert abs(values[name]) < 1e-8
        if name.endswith('distill_top1'):
            assert values[name] == 1
