"""A long run needs no more memory, time or files at its end than at its start."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn

from tests.detectors import FASTER, RETINA
from tests.training import train, training_config

STEPS = 2000
WARM = 400
BLOCK = 100
PAGE = os.sysconf('SC_PAGESIZE')
# A leaked feature map of a step alone would be 0.1 MB, and 160 MB in all.
MEMORY = 16e6
# Five times the standard error that the units' scatter, 2 % from block to block, leaves.
TIME = 0.1


@HOOKS.register_module()
class Gauge(Hook):
    """Notes resident memory, processor time and open files after each iteration.

    Other jobs slow a step down even in processor time, through caches and cores that are shared.
    They slow the same piece of work right after it down alike, so the step is timed in units of
    that.
    """

    def before_train(self, runner):
        layers = [nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
        self.yardstick, self.picture = nn.Sequential(*layers * 4), torch.randn(2, 8, 16, 24)
        self.rows = []
        self.start = time.process_time()

    def after_train_iter(self, runner, *args, **kwargs):
        step = time.process_time() - self.start
        unit = self.measure()
        resident = int(Path('/proc/self/statm').read_text().split()[1]) * PAGE
        self.rows.append((resident, step / unit, len(os.listdir('/proc/self/fd')), step))
        self.start = time.process_time()

    def measure(self):
        start = time.process_time()
        for _ in range(3):
            self.yardstick(self.picture).sum().backward()
            self.yardstick.zero_grad()
        return time.process_time() - start


@HOOKS.register_module()
class Hoarder(Hook):
    """Keeps 0.1 MB of each iteration, and looks at all that it has."""

    def before_train(self, runner):
        self.kept = []

    def after_train_iter(self, runner, *args, **kwargs):
        self.kept.append(torch.ones(25_000))
        sum(float(tensor.sum()) for tensor in self.kept)


def growth(values):
    """How much a line through the values rises from their first to their last."""
    steps = np.arange(len(values))
    return np.polyfit(steps, values, 1)[0] * len(values)


def soaked(name, folder, *hooks):
    """Growth in bytes, in the share of a step's time, and in files, after ``WARM`` iterations."""
    config = training_config(
        name,
        folder,
        train_cfg=dict(max_iters=STEPS),
        default_hooks=dict(
            checkpoint=dict(interval=200, max_keep_ckpts=2), logger=dict(interval=50)
        ),
    )
    config.custom_hooks = [*config.custom_hooks[1:], *hooks, dict(type='Gauge')]
    runner = train(config, folder / 'work')
    gauge = next(hook for hook in runner.hooks if isinstance(hook, Gauge))
    memory, units, files, seconds = np.array(gauge.rows[WARM:]).T
    # Medians, for single steps are interrupted, and the pictures come in two shapes.
    blocks = np.median(units.reshape(-1, BLOCK), axis=1)
    grown = growth(memory), growth(blocks) / np.median(blocks), files.max() - files[0]
    print(
        f'{name}: memory {memory[0] / 1e6:.0f} MB {grown[0] / 1e6:+.1f} MB, step '
        f'{np.median(seconds) * 1e3:.1f} ms {grown[1]:+.1%}, {files[0]:.0f} files {grown[2]:+.0f}'
    )
    return grown


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='reads /proc')
@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_memory_time_and_files_stay_flat(name, tmp_path):
    memory, share, files = soaked(name, tmp_path)
    assert memory < MEMORY
    assert share < TIME
    assert files == 0


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='reads /proc')
def test_a_leak_would_show(tmp_path):
    memory, share, _ = soaked(RETINA, tmp_path, dict(type='Hoarder'))
    assert memory > 5 * MEMORY
    assert share > TIME
