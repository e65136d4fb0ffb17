"""KDLoss against its formula and MMDetection's loss."""

import pytest
import torch
from mmdet.models.losses import KnowledgeDistillationKLDivLoss

from mmdet_kdrank.losses import KDLoss
from tests.losses.conformance import LossConformance, batch


def by_hand(pred, soft_label, temperature):
    target, student = ((x / temperature).softmax(1) for x in (soft_label, pred))
    return temperature**2 * (target * (target / student).log()).sum(1)


class TestDefault(LossConformance):
    type = 'KDLoss'

    def rows(self, pred, soft_label, labels):
        return by_hand(pred, soft_label, 1.0)


class TestWarm(LossConformance):
    type = 'KDLoss'
    arguments = {'temperature': 2.0}

    def rows(self, pred, soft_label, labels):
        return by_hand(pred, soft_label, 2.0)


@pytest.mark.parametrize('temperature', [1, 4])
def test_is_mmdetections_loss_times_the_number_of_channels(temperature):
    pred, soft_label, weight, _ = batch(torch.float32)
    theirs = KnowledgeDistillationKLDivLoss(T=temperature, loss_weight=float(pred.shape[1]))
    ours = KDLoss(temperature)
    for options in ({}, dict(weight=weight, avg_factor=3.0)):
        torch.testing.assert_close(
            ours(pred, soft_label, **options), theirs(pred, soft_label, **options)
        )


def test_refuses_a_temperature_of_zero():
    with pytest.raises(ValueError, match='temperature=0 must be a positive'):
        KDLoss(temperature=0)
