"""What every logit distillation loss must do, against the oracle of its formula.

A loss's test derives a class from :class:`LossConformance` and gives it ``build`` and ``rows``.
"""

import math
from contextlib import nullcontext

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses import LogitDistillLoss
from tests.layouts import DTYPES, logits
from tests.ops.oracle import DEVICES

ROWS, CLASSES = 6, 7


def batch(dtype=torch.float64, device='cpu', rows=ROWS):
    """Student's and teacher's logits, weights and labels."""
    generator = torch.Generator().manual_seed(0)
    pred, soft_label = torch.randn(2, rows, CLASSES, generator=generator, dtype=torch.float64) * 2
    weight = torch.rand(rows, generator=generator, dtype=torch.float64)
    labels = torch.randint(CLASSES, (rows,), generator=generator)
    return (
        pred.to(device, dtype).requires_grad_(),
        soft_label.to(device, dtype),
        weight.to(device, dtype),
        labels.to(device),
    )


class LossConformance:
    """The suite."""

    # The registered name and arguments of the loss.
    type: str
    arguments: dict = {}

    # MMDetection's own losses give NaN for the mean over no row without avg_factor.
    empty_mean = 0.0
    # Relative error under autocast. Computed in float32, it is float32's.
    autocast_rtol = 1e-5
    # Whether equal and almost equal logits give about the same value.
    conditioned = True
    # Whether float16 input is computed on a CPU.
    half_on_cpu = True

    def rows(self, pred: Tensor, soft_label: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, differentiable, in float64: the oracle."""
        raise NotImplementedError

    def build(self, **kwargs):
        return MODELS.build({'type': self.type, **self.arguments, **kwargs})

    def call(self, loss, pred, soft_label, labels, **kwargs):
        if getattr(loss, 'requires_labels', False):
            kwargs['labels'] = labels
        return loss(pred, soft_label, **kwargs)

    @pytest.mark.parametrize('device', DEVICES)
    @pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
    @pytest.mark.parametrize('weighted', [False, True])
    @pytest.mark.parametrize(
        ('reduction', 'avg_factor'),
        [('none', None), ('none', 3.0), ('mean', None), ('mean', 3.0), ('sum', None)],
    )
    @pytest.mark.parametrize('override', [False, True])
    def test_value_and_gradient(self, device, dtype, weighted, reduction, avg_factor, override):
        pred, soft_label, weight, labels = batch(dtype, device)
        other = 'sum' if reduction != 'sum' else 'mean'
        loss = self.build(reduction=other if override else reduction, loss_weight=0.5)
        kwargs = {'weight': weight if weighted else None, 'avg_factor': avg_factor}
        if override:
            kwargs['reduction_override'] = reduction
        actual = self.call(loss, pred, soft_label, labels, **kwargs)

        exact = pred.detach().double().requires_grad_()
        expected = 0.5 * self.rows(exact, soft_label.double(), labels)
        if weighted:
            expected = expected * weight.double()
        if reduction != 'none':
            divisor = 1.0 if reduction == 'sum' else (avg_factor or ROWS)
            expected = expected.sum() / divisor
        # MMDetection adds a float32 eps to avg_factor, in every dtype.
        close = {'rtol': 1e-6, 'atol': 1e-6 if dtype is torch.float32 else 1e-12}
        torch.testing.assert_close(actual.double(), expected, **close)
        (grad,) = torch.autograd.grad(actual.sum(), pred)
        (grad_expected,) = torch.autograd.grad(expected.sum(), exact)
        assert grad.ne(0).any()
        torch.testing.assert_close(grad.double(), grad_expected, **close)

    def test_avg_factor_meets_sum(self):
        pred, soft_label, _, labels = batch()
        with pytest.raises(ValueError, match='avg_factor can not be used with reduction="sum"'):
            self.call(self.build(reduction='sum'), pred, soft_label, labels, avg_factor=2.0)

    def test_unknown_reduction_override(self):
        pred, soft_label, _, labels = batch()
        with pytest.raises((ValueError, AssertionError)):
            self.call(self.build(), pred, soft_label, labels, reduction_override='max')

    @pytest.mark.parametrize('device', DEVICES)
    @pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
    def test_autocast(self, device, dtype):
        """As good as the input allows, and the gradient in the input's dtype."""
        if (device, dtype) == ('cpu', torch.float16) and not self.half_on_cpu:
            pytest.skip('this torch lacks what the loss needs for half precision on a CPU')
        pred, soft_label, weight, labels = batch(dtype, device)
        with torch.autocast(device, torch.bfloat16):
            actual = self.call(self.build(), pred, soft_label, labels, weight=weight.float())
        expected = self.rows(pred.double(), soft_label.double(), labels) * weight.float()
        assert actual.dtype is torch.float32
        torch.testing.assert_close(
            actual.double(), expected.mean(), rtol=self.autocast_rtol, atol=1e-6
        )
        actual.backward()
        assert pred.grad.dtype is dtype and pred.grad.isfinite().all()

    @pytest.mark.parametrize('weighted', [False, True])
    @pytest.mark.parametrize(
        ('reduction', 'avg_factor'), [('none', None), ('mean', None), ('mean', 2.0), ('sum', None)]
    )
    def test_no_rows(self, weighted, reduction, avg_factor):
        pred, soft_label, weight, labels = batch(rows=0)
        kwargs = {'weight': weight if weighted else None, 'avg_factor': avg_factor}
        actual = self.call(self.build(reduction=reduction), pred, soft_label, labels, **kwargs)
        keeps_nan = reduction == 'mean' and avg_factor is None and math.isnan(self.empty_mean)
        with pytest.raises(AssertionError) if keeps_nan else nullcontext():
            assert actual.sum().item() == 0
        actual.sum().backward()
        assert pred.grad.shape == pred.shape

    def test_soft_label_is_a_constant(self):
        pred, soft_label, _, labels = batch()
        soft_label.requires_grad_()
        self.call(self.build(), pred, soft_label, labels).backward()
        assert soft_label.grad is None and pred.grad is not None

    @settings(
        max_examples=60,
        derandomize=True,
        deadline=None,
        # One suite, run by a class for each loss.
        suppress_health_check=[HealthCheck.differing_executors],
    )
    @given(data=st.data())
    def test_any_layout_dtype_and_size(self, data):
        loss = self.build(reduction='none')
        is_own = isinstance(loss, LogitDistillLoss)
        dtype = data.draw(st.sampled_from(DTYPES if is_own else [torch.float32, torch.float64]))
        rows, columns = data.draw(st.integers(1, 5)), data.draw(st.integers(CLASSES, 12))
        pred, soft_label = (data.draw(logits(rows, columns, dtype)) for _ in range(2))
        labels = torch.arange(rows) % columns
        leaf = pred.detach().requires_grad_()
        actual = self.call(loss, leaf, soft_label, labels)
        actual.sum().backward()
        # The oracles are written to be read, and overflow; the loss itself in float64 does not.
        plain = [tensor.double().contiguous() for tensor in (pred, soft_label)]
        expected = self.call(self.build(reduction='none'), *plain, labels)
        assert actual.isfinite().all() and expected.isfinite().all()
        if self.conditioned:
            slack = 1e-9 if dtype is torch.float64 else 1e-4
            # Differences of logits are as exact as the logits are.
            rounding = 4 * torch.finfo(actual.dtype).eps * max(x.abs().max() for x in plain).item()
            torch.testing.assert_close(
                actual.double(),
                expected,
                rtol=0,
                atol=slack * max(1.0, expected.abs().max().item()) + rounding,
            )
        # Half precision overflows where the true gradient is beyond its range, and only there.
        if dtype is not torch.float16:
            assert leaf.grad.isfinite().all()

    def test_holds_no_state(self):
        """The student's checkpoint stays as it is."""
        assert not self.build().state_dict()
