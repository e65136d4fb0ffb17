"""Recorded rows are those that the distiller compares."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MessageHub

from experiments.claims.detectors import trained_logits
from mmdet_kdrank.errors import CheckpointError
from tests.detectors import FASTER, RETINA, save_teacher, small_config
from tests.shapes_runs import CLASSES, shapes_config


@pytest.fixture
def pair(tmp_path, request):
    """A student's config and checkpoint, and a teacher's, of the stock config asked for."""
    student = small_config(request.param, num_classes=len(CLASSES))
    teacher = small_config(request.param, width=8, num_classes=len(CLASSES))
    config = shapes_config(tmp_path, {})
    config = Config(dict(model=student, val_dataloader=config.val_dataloader.to_dict()))
    meta = dict(dataset_meta=dict(classes=CLASSES))
    return (
        (config, save_teacher(student, tmp_path / 'student.pth', seed=2, meta=meta)),
        (teacher, save_teacher(teacher, tmp_path / 'teacher.pth', meta=meta)),
    )


@pytest.mark.parametrize('pair', [FASTER], indirect=True)
def test_two_stage_rows_are_foreground_and_background(pair):
    foreground, background = trained_logits(*pair, rows=10)
    assert [foreground.name, background.name] == ['foreground', 'background']
    assert foreground.activation == 'softmax'
    assert foreground.teacher.shape == (10, len(CLASSES) + 1)
    assert (foreground.labels < len(CLASSES)).all()
    assert (background.labels == len(CLASSES)).all()
    assert not torch.equal(foreground.student, foreground.teacher)


@pytest.mark.parametrize('pair', [FASTER], indirect=True)
def test_the_seed_decides_and_the_state_of_the_process_stays(pair):
    hub = MessageHub.get_current_instance()
    torch.manual_seed(3)
    first = trained_logits(*pair, rows=10)[0]
    after = torch.rand(1)
    again = trained_logits(*pair, rows=10)[0]
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), after)
    assert torch.equal(first.student, again.student)
    assert torch.equal(first.teacher, again.teacher)
    assert hub.get_info('dataset_meta') is None


@pytest.mark.parametrize('pair', [FASTER], indirect=True)
def test_a_student_as_its_own_teacher_agrees_with_itself(pair):
    (config, checkpoint), _ = pair
    for logits in trained_logits((config, checkpoint), (config.model, checkpoint), rows=10):
        torch.testing.assert_close(logits.student, logits.teacher, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('pair', [RETINA], indirect=True)
def test_dense_rows_are_sigmoids(pair):
    foreground, background = trained_logits(*pair, rows=10)
    assert foreground.activation == background.activation == 'sigmoid'
    assert background.teacher.shape == (10, len(CLASSES))


@pytest.mark.parametrize('pair', [FASTER], indirect=True)
def test_a_checkpoint_of_another_student_is_refused(pair, tmp_path):
    (config, _), teacher = pair
    weights = MODELS.build(config.model).state_dict()
    weights.pop('rpn_head.rpn_cls.bias')
    torch.save(dict(state_dict=weights), tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=r'other\.pth does not fit .*rpn_cls\.bias'):
        trained_logits((config, str(tmp_path / 'other.pth')), teacher)
