"""A long run needs no more memory, time or files at its end than at its start."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.detectors import FASTER, RETINA
from tests.training import train, training_config

STEPS = 2000
WARM = 400
PAGE = os.sysconf('SC_PAGESIZE')


@HOOKS.register_module()
class Gauge(Hook):
    """Notes resident memory, processor time and open files after each iteration."""

    def before_train(self, runner):
        self.rows = []

    def after_train_iter(self, runner, *args, **kwargs):
        resident = int(Path('/proc/self/statm').read_text().split()[1]) * PAGE
        self.rows.append((resident, time.process_time(), len(os.listdir('/proc/self/fd'))))


def growth(values):
    """How much a line through the values rises from their first to their last."""
    steps = np.arange(len(values))
    return np.polyfit(steps, values, 1)[0] * len(values)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='reads /proc')
@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_memory_time_and_files_stay_flat(name, tmp_path):
    config = training_config(
        name,
        tmp_path,
        train_cfg=dict(max_iters=STEPS),
        default_hooks=dict(
            checkpoint=dict(interval=200, max_keep_ckpts=2), logger=dict(interval=50)
        ),
    )
    config.custom_hooks = [*config.custom_hooks[1:], dict(type='Gauge')]
    runner = train(config, tmp_path / 'work')
    gauge = next(hook for hook in runner.hooks if isinstance(hook, Gauge))
    memory, clock, files = np.array(gauge.rows[WARM:]).T
    # The quickest tenth of each hundred: what else the machine does is not this run's doing.
    seconds = np.quantile(np.diff(clock)[:1500].reshape(15, 100), 0.1, axis=1)
    print(
        f'{name}: memory {memory[0] / 1e6:.0f} MB {growth(memory) / 1e6:+.1f} MB, step '
        f'{np.median(seconds) * 1e3:.1f} ms {growth(seconds) / np.median(seconds):+.1%}, '
        f'{files[0]:.0f} to {files.max():.0f} files'
    )
    # A leaked feature map of a step alone would be 0.1 MB, and 160 MB in all.
    assert growth(memory) < 16e6
    assert growth(seconds) < 0.2 * np.median(seconds)
    assert files.max() == files[0]
