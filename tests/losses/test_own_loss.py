"""A loss of a user's own plugs in by its registered name, with nothing of this package in it."""

import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.registry import MODELS as ROOT
from mmengine.registry import Registry
from torch import nn

from tests.detectors import (
    CASCADE,
    FASTER,
    KD,
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


class KLDivergence(nn.Module):
    """One with the signature of MMRazor's losses of two logits, and its KL's arguments."""

    def __init__(self, tau=1.0, reduction='batchmean', loss_weight=1.0):
        super().__init__()
        self.tau, self.reduction, self.loss_weight = tau, reduction, loss_weight

    def forward(self, preds_S, preds_T):
        log_p, q = F.log_softmax(preds_S / self.tau, 1), F.softmax(preds_T / self.tau, 1)
        value = F.kl_div(log_p, q, reduction=self.reduction)
        return self.loss_weight * self.tau**2 * value


ELSEWHERE = Registry('model', parent=ROOT, scope='elsewhere')
ELSEWHERE.register_module(module=KLDivergence)


@pytest.fixture(autouse=True)
def registered():
    MODELS.register_module(name='StandIn', module=StandIn)
    yield
    del MODELS._module_dict['StandIn']


OWN = dict(type='StandIn', sharpness=2.0)


def small_distiller(name, folder, **options):
    teacher = small_config(name, width=8)
    checkpoint = save_teacher(teacher, folder / 'teacher.pth')
    return build(distiller_config(small_config(name), teacher, checkpoint, **options))


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_trains_alone_beside_rank_and_standardised(name, tmp_path):
    losses = dict(loss_own=OWN, loss_rank=RANK, loss_standardised=dict(type='LSKDLoss', loss=OWN))
    model = small_distiller(name, tmp_path, distill_losses=losses)
    log = training_losses(model)
    for key in losses:
        weights = [p for p in model.parameters() if p.requires_grad]
        grads = torch.autograd.grad(log[key], weights, retain_graph=True, allow_unused=True)
        assert 0 < log[key] <= 2
        assert any(grad is not None and grad.ne(0).any() for grad in grads)
    assert not any('loss_own' in key for key in model.state_dict())


@pytest.mark.parametrize('name', [FASTER, CASCADE, RETINA])
def test_another_projects_loss_of_two_tensors_is_the_textbook_one(name, tmp_path):
    """MMDetection's KL with the mean over the columns undone."""
    columns = 5 if name == RETINA else 6
    losses = dict(
        loss_own=dict(type='elsewhere.KLDivergence', tau=2.0),
        loss_kd={**KD, 'T': 2, 'loss_weight': columns},
    )
    log = training_losses(small_distiller(name, tmp_path, distill_losses=losses))
    own = {key: value for key, value in log.items() if 'loss_own' in key}
    assert len(own) == (3 if name == CASCADE else 1)
    for key, value in own.items():
        assert value > 0
        assert torch.allclose(value, log[key.replace('own', 'kd')], rtol=1e-4)


def test_another_projects_loss_of_two_tensors_is_refused_where_it_would_be_wrong(tmp_path):
    losses = dict(loss_own=dict(type='elsewhere.KLDivergence'))
    selector = dict(type='AllSamples')
    model = small_distiller(RETINA, tmp_path, distill_losses=losses, selector=selector)
    with pytest.raises(ValueError, match=r'distill_losses\.loss_own: KLDivergence takes no weight'):
        training_losses(model)
