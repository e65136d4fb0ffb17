"""The base on a loss of one line, and one that needs the hard labels."""

import pytest
import torch

from mmdet_kdrank.losses import LogitDistillLoss
from mmdet_kdrank.losses.base import full_precision
from tests.losses.conformance import LossConformance, batch


class SquaredError(LogitDistillLoss):
    def row_loss(self, pred, soft_label):
        return (pred - soft_label).square().mean(1)


class OnLabels(LogitDistillLoss):
    requires_labels = True

    def row_loss(self, pred, soft_label, labels):
        return (pred - soft_label).gather(1, labels[:, None]).squeeze(1).square()


class TestSquaredError(LossConformance):
    def rows(self, pred, soft_label, labels):
        return (pred - soft_label).square().mean(1)

    def build(self, **kwargs):
        return SquaredError(**kwargs)


class TestOnLabels(LossConformance):
    def rows(self, pred, soft_label, labels):
        difference = pred - soft_label
        return torch.stack(
            [row[i] ** 2 for row, i in zip(difference, labels, strict=True)] or [pred.sum()]
        )[: len(pred)]

    def build(self, **kwargs):
        return OnLabels(**kwargs)


def test_formula_is_computed_in_float32():
    seen = []

    class Spy(SquaredError):
        def row_loss(self, pred, soft_label):
            seen.append((pred.dtype, soft_label.dtype, (pred.T @ soft_label).dtype))
            return super().row_loss(pred, soft_label)

    pred, soft_label, _, _ = batch(torch.bfloat16)
    with torch.autocast('cpu', torch.bfloat16):
        Spy()(pred, soft_label)
    assert seen == [(torch.float32,) * 3]


@pytest.mark.parametrize(
    ('loss', 'change', 'error', 'message'),
    [
        (SquaredError, {'pred': torch.zeros(6, 7, 1)}, ValueError, r'pred has shape \(6, 7, 1\)'),
        (SquaredError, {'soft_label': torch.zeros(6, 5)}, ValueError, r'soft_label \(6, 5\)'),
        (SquaredError, {'pred': torch.zeros(6, 7).long()}, TypeError, 'pred has dtype torch.int64'),
        (SquaredError, {'weight': torch.ones(6, 7)}, ValueError, r'weight has shape \(6, 7\)'),
        (
            SquaredError,
            {'labels': torch.zeros(6)},
            ValueError,
            'requires_labels=False, but .* were',
        ),
        (SquaredError, {'reduction_override': 'max'}, ValueError, "reduction_override='max' is"),
        (OnLabels, {}, ValueError, 'requires_labels=True, but labels were not passed'),
        (OnLabels, {'labels': torch.zeros(5).long()}, ValueError, r'labels have shape \(5,\)'),
    ],
)
def test_message(loss, change, error, message):
    call = {'pred': torch.zeros(6, 7), 'soft_label': torch.zeros(6, 7), **change}
    with pytest.raises(error, match=message):
        loss()(**call)


def test_formula_is_missing():
    with pytest.raises(NotImplementedError, match='LogitDistillLoss must define row_loss'):
        LogitDistillLoss()(torch.zeros(2, 3), torch.zeros(2, 3))


@pytest.mark.parametrize(
    'given, computed',
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_becomes_float32_and_the_rest_stays(given, computed):
    assert full_precision(torch.ones(2, dtype=given)).dtype == computed
