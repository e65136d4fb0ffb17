"""MMEngine's wrapper for fully sharded data parallel training."""

from __future__ import annotations

import inspect

import pytest
import torch
from mmengine.model.wrappers import MMFullyShardedDataParallel
from mmengine.optim import OptimWrapper

from tests.detectors import FASTER, RETINA, save_teacher, small_config
from tests.distributed.detectors import batch, distiller, wrap
from tests.distributed.ranks import run_ranks


def losses(rank: int, name: str, checkpoint: str) -> dict[str, list[dict[str, float]]]:
    """Values of three optimizer steps, fully sharded and not."""
    logs = {}
    for kind in ('replicated', 'sharded'):
        model = distiller(name, checkpoint)
        size = sum(parameter.numel() for parameter in model.parameters())
        if kind == 'sharded':
            model = MMFullyShardedDataParallel(model, device_id=torch.device('cpu'))
            held = sum(parameter.numel() for parameter in model.parameters())
            assert held < 0.6 * size, (held, size)
        else:
            model = wrap(model)
        wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))
        torch.manual_seed(rank)
        logs[kind] = [
            {
                key: float(value)
                for key, value in model.train_step(batch((2, 2), first=10 * rank), wrapper).items()
            }
            for _ in range(3)
        ]
    return logs


@pytest.mark.slow
@pytest.mark.skipif(
    'priority' not in inspect.signature(torch.cpu.Stream).parameters,
    reason='torch 2.1 shards on GPUs alone',
)
@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_sharded_students_learn_the_same(tmp_path, name):
    teacher = save_teacher(small_config(name, width=8), tmp_path / 'teacher.pth')
    for logs in run_ranks(2, losses, name, teacher):
        assert len({log['loss_kd'] for log in logs['replicated']}) == 3
        for sharded, replicated in zip(logs['sharded'], logs['replicated'], strict=True):
            assert sharded == pytest.approx(replicated, rel=1e-3, abs=1e-5)
