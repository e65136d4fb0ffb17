"""Matched queries on two ranks: the gradients are those of one process."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.detectors import build, save_teacher
from tests.distillers.query_detectors import DEFORMABLE, query_config, query_distiller_config
from tests.distributed.detectors import batch, distillation_gradients, wrap
from tests.distributed.ranks import run_ranks


def distiller(checkpoint: str, options: dict) -> nn.Module:
    teacher = query_config(DEFORMABLE, width=8)
    config = query_distiller_config(query_config(DEFORMABLE), teacher, checkpoint, **options)
    model = build(config).train()
    for module in model.modules():
        # Draws that differ between the batches of one process and of two.
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return model


def on_ranks(rank: int, checkpoint: str, options: dict, boxes: tuple) -> dict:
    share = len(boxes) // torch.distributed.get_world_size()
    mine = slice(rank * share, (rank + 1) * share)
    model = wrap(distiller(checkpoint, options))
    gradients = distillation_gradients(model, batch(boxes[mine], first=mine.start))
    return {key: value.numpy() for key, value in gradients.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    'options',
    [{}, dict(selector=dict(type='PositiveSamples'), matching='ground_truth')],
    ids=['hungarian', 'ground_truth'],
)
def test_ranks_give_the_gradients_of_one_process(tmp_path, options):
    """The second rank has no object, so that with ground truth it has no pair."""
    checkpoint = save_teacher(query_config(DEFORMABLE, width=8), tmp_path / 'teacher.pth')
    boxes = (3, 2, 0, 0)
    expected = distillation_gradients(distiller(checkpoint, options), batch(boxes))
    scale = max(float(value.abs().max()) for value in expected.values())
    assert scale > 1e-4
    for rank in run_ranks(2, on_ranks, checkpoint, options, boxes):
        assert rank.keys() == expected.keys()
        for key, value in expected.items():
            got = torch.from_numpy(rank[key])
            torch.testing.assert_close(got, value, rtol=1e-4, atol=1e-5 * scale, msg=key)
