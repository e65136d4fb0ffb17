"""A student has the same losses whether MMEngine compiles its step or not."""

from __future__ import annotations

import pytest
from torch._dynamo.utils import counters

from tests.detectors import FASTER, save_teacher, small_config
from tests.shapes_runs import CLASSES, shapes_config, train

STEPS = 3


def losses(folder, **options):
    """Each loss of each iteration of a two-stage training, by its name in the log."""
    folder.mkdir()
    teacher = small_config(FASTER, width=8, num_classes=len(CLASSES))
    checkpoint = save_teacher(teacher, folder / 'teacher.pth')
    config = shapes_config(folder, dict(config=teacher, checkpoint=checkpoint))
    config.merge_from_dict(options)
    config.train_cfg.max_iters = STEPS
    hub = train(config).message_hub
    return {
        name: hub.get_scalar(name).data[0].tolist() for name in hub.log_scalars if 'loss' in name
    }


@pytest.mark.soak
def test_a_compiled_two_stage_student_has_the_losses_of_the_plain_one(tmp_path):
    plain = losses(tmp_path / 'plain')
    counters.clear()
    compiled = losses(tmp_path / 'compiled', compile=dict(backend='eager'))
    assert counters['stats']['unique_graphs'] > 1
    assert {'train/loss_kd', 'train/loss_rank'} <= plain.keys() == compiled.keys()
    for name, values in plain.items():
        assert len(values) == STEPS
        assert compiled[name] == pytest.approx(values, rel=1e-5), name
