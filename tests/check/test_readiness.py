import re

import pytest
import torch
from mmengine.config import Config

from mmdet_kdrank.check.readiness import report, without_weights
from tests.detectors import RETINA, distiller_config, save_teacher, small_config
from tests.distillers.query_detectors import (
    DEFORMABLE,
    DINO,
    SPARSE,
    query_config,
    query_distiller_config,
)

URL = 'https://example.org/weights.pth'


@pytest.fixture
def config(tmp_path):
    student, teacher = (small_config(RETINA, width) for width in (4, 8))
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    return Config(dict(model=distiller_config(student, teacher, checkpoint)))


def test_a_random_batch_needs_no_data(config):
    lines = list(report(config, random=True))
    assert lines[0].startswith('student: ')
    assert lines[-1] == 'identity (student = teacher): loss_kd 0, top-1 1.000'


@pytest.mark.parametrize('name', [DEFORMABLE, DINO, SPARSE])
def test_queries_too(name, tmp_path):
    student, teacher = query_config(name), query_config(name, width=8)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    model = query_distiller_config(student, teacher, checkpoint)
    lines = list(report(Config(dict(model=model)), random=True))
    loss, share = re.search(r'loss_kd (\S+), top-1 (\S+)$', lines[-1]).groups()
    assert float(loss) < 1e-9
    assert share == '1.000'


def test_a_teacher_that_computes_otherwise_in_training_fails_the_identity(config, monkeypatch):
    forward = torch.nn.ReLU.forward
    monkeypatch.setattr(
        torch.nn.ReLU, 'forward', lambda self, x: forward(self, x) * (1 + 0.1 * self.training)
    )
    with pytest.raises(RuntimeError, match='With the teacher as its own student, loss_kd is'):
        list(report(config, random=True))


def test_no_pretrained_weights_are_fetched_for_the_student():
    teacher = dict(config=dict(backbone=dict(init_cfg=dict(checkpoint=URL))))
    model = dict(
        backbone=dict(depth=50, pretrained=URL, init_cfg=dict(type='Pretrained', checkpoint=URL)),
        bbox_head=dict(init_cfg=[dict(type='Normal', std=0.01)]),
        neck=dict(init_cfg=[dict(checkpoint=URL)]),
        teacher=teacher,
    )
    assert without_weights(model) == dict(
        backbone=dict(depth=50), bbox_head=model['bbox_head'], neck={}, teacher=teacher
    )
