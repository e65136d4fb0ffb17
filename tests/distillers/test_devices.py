"""One training step of each family on a GPU gives the losses of the same step on the CPU."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.detectors import FASTER, RETINA, raw_batch
from tests.distillers.test_precision import DISTILLED, distiller, same_proposals

DEVICES = ['cpu', 'cuda']


def prepared(name, folder):
    """A distiller after its first step, which finds the proposals of all that follow."""
    model = distiller(name, folder)
    same_proposals(model)
    step(model, 'cpu')
    return model


def step(model, device, dtype=None):
    """Losses and gradients of one step on a device; ``dtype`` is that of autocast."""
    model.to(device)
    data = model.data_preprocessor(copy.deepcopy(raw_batch()), training=True)
    torch.manual_seed(0)
    with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
        losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    # As a GradScaler does: float16 gradients would vanish.
    scale = 1024.0 if dtype == torch.float16 else 1.0
    model.zero_grad()
    (total * scale).backward()
    gradients = [p.grad.float().cpu() / scale for p in model.parameters() if p.grad is not None]
    return {name: float(losses[name]) for name in DISTILLED}, gradients


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_a_step_has_the_losses_of_the_cpu(name, device, tmp_path):
    model = prepared(name, tmp_path)
    expected, expected_gradients = step(model, 'cpu')
    losses, gradients = step(model, device)
    assert losses == pytest.approx(expected, rel=1e-4)
    for gradient, exact in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, exact, rtol=1e-3, atol=1e-4 * float(exact.abs().max()))


@pytest.mark.parametrize('device', ['cuda'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_a_step_in_half_precision_is_near_that_in_float32(name, dtype, device, tmp_path):
    model = prepared(name, tmp_path)
    expected, _ = step(model, device)
    losses, gradients = step(model, device, dtype)
    assert losses == pytest.approx(expected, rel=0.05)
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize('device', ['cuda'])
def test_a_step_asks_the_gpu_once(device, tmp_path):
    """What the dispatcher counts on a CPU, counted by CUDA itself."""
    from benchmarks.host_reads import cuda_reads

    model = prepared(RETINA, tmp_path)
    step(model, device)
    lines = [line for line in cuda_reads(lambda: step(model, device)) if ':' in line]
    assert len(lines) == 1, lines
