"""Runs of MMEngine's runner with a query-based student: verification, diagnostics, resuming."""

from __future__ import annotations

import pytest
import torch
from mmdet.registry import MODELS

from mmdet_kdrank.diagnostics.journal import read_diagnostics
from mmdet_kdrank.errors import CheckpointError
from tests.detectors import save_teacher
from tests.distillers.query_detectors import DETR, query_config, query_distiller_config
from tests.shapes_runs import CLASSES, shapes_config, train


def run_config(folder, **teacher):
    student = query_config(DETR, num_classes=len(CLASSES))
    config = query_config(DETR, queries=16, num_classes=len(CLASSES))
    teacher.update(config=config, checkpoint=save_teacher(config, folder / 'teacher.pth'))
    run = shapes_config(folder, teacher)
    run.model = query_distiller_config(student, config, teacher['checkpoint'])
    run.model.teacher = teacher
    return run


def test_a_random_teacher_is_refused_before_training(tmp_path):
    with pytest.raises(CheckpointError, match='was refused: mAP 0.0'):
        train(run_config(tmp_path, verify=True))


@pytest.mark.slow
def test_a_resumed_run_goes_on_with_diagnostics_and_a_plain_checkpoint(tmp_path):
    config = run_config(tmp_path, verify=False)
    config.custom_hooks = [dict(type='DistillDiagnosticsHook', interval=1)]
    config.default_hooks.checkpoint.interval = 1
    train(config)
    config.resume = True
    config.train_cfg.max_iters = 4
    assert train(config).iter == 4
    records = read_diagnostics(config.work_dir)
    assert [record['step'] for record in records] == [1, 2, 3, 4]
    assert all(record['gradient.loss_rank.ratio'] > 0 for record in records)
    state = torch.load(tmp_path / 'work' / 'iter_4.pth', weights_only=True)['state_dict']
    stock = MODELS.build(query_config(DETR, num_classes=len(CLASSES)))
    stock.load_state_dict(state, strict=True)
