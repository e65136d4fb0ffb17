"""A loss of a user's own plugs in by its registered name, with nothing of this package in it."""

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from tests.detectors import (
    FASTER,
    RANK,
    RETINA,
    build,
    distiller_config,
    save_teacher,
    small_config,
    training_losses,
)


class StandIn(nn.Module):
    """Total variation of the scores, as a project elsewhere might write it."""

    def __init__(self, sharpness=1.0):
        super().__init__()
        self.sharpness = sharpness

    def forward(self, pred, soft_label, weight=None, avg_factor=None, reduction_override=None):
        p, q = ((self.sharpness * x).softmax(1) for x in (pred, soft_label))
        rows = 0.5 * (p - q).abs().sum(1)
        if weight is not None:
            rows = rows * weight
        if reduction_override == 'none':
            return rows
        return rows.sum() / (len(rows) if avg_factor is None else avg_factor)


@pytest.fixture(autouse=True)
def registered():
    MODELS.register_module(name='StandIn', module=StandIn)
    yield
    del MODELS._module_dict['StandIn']


OWN = dict(type='StandIn', sharpness=2.0)


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_trains_alone_beside_rank_and_standardised(name, tmp_path):
    teacher = small_config(name, width=8)
    losses = dict(loss_own=OWN, loss_rank=RANK, loss_standardised=dict(type='LSKDLoss', loss=OWN))
    model = build(
        distiller_config(
            small_config(name),
            teacher,
            save_teacher(teacher, tmp_path / 'teacher.pth'),
            distill_losses=losses,
        )
    )
    log = training_losses(model)
    for key in losses:
        weights = [p for p in model.parameters() if p.requires_grad]
        grads = torch.autograd.grad(log[key], weights, retain_graph=True, allow_unused=True)
        assert 0 < log[key] <= 2
        assert any(grad is not None and grad.ne(0).any() for grad in grads)
    assert not any('loss_own' in key for key in model.state_dict())
