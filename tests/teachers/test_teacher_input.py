import pytest
import torch
from mmdet.registry import MODELS

from mmdet_kdrank.teachers.teacher_input import TeacherInput
from tests.detectors import raw_batch

PYTORCH = dict(
    type='DetDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_size_divisor=32,
)
CAFFE = dict(
    type='DetDataPreprocessor',
    mean=[103.53, 116.28, 123.675],
    std=[1.0, 1.0, 1.0],
    bgr_to_rgb=False,
    pad_size_divisor=32,
)
RAW = dict(type='DetDataPreprocessor', pad_value=114, pad_size_divisor=16)


def build(config, **changes):
    return MODELS.build({**config, **changes})


@pytest.mark.parametrize('student', [PYTORCH, CAFFE])
@pytest.mark.parametrize('teacher', [PYTORCH, CAFFE, RAW])
def test_the_teacher_sees_what_its_own_preprocessor_gives(student, teacher):
    student, teacher = build(student), build(teacher)
    batch = student(raw_batch(), training=True)
    expected = teacher(raw_batch(), training=True)['inputs']
    if expected.shape != batch['inputs'].shape:
        expected = build(RAW, pad_size_divisor=32)(raw_batch(), training=True)['inputs']
    converted = TeacherInput(student, teacher)(batch['inputs'], batch['data_samples'])
    torch.testing.assert_close(converted, expected, atol=2e-3, rtol=1e-4)


def test_equal_preprocessors_share_the_batch():
    batch = build(PYTORCH)(raw_batch(), training=True)
    bridge = TeacherInput(build(PYTORCH), build(PYTORCH, pad_size_divisor=16))
    assert bridge(batch['inputs'], batch['data_samples']) is batch['inputs']


@pytest.mark.parametrize('pad_value', [0, 7])
def test_the_students_batch_is_left_alone(pad_value):
    batch = build(RAW)(raw_batch(), training=True)
    before = batch['inputs'].clone()
    bridge = TeacherInput(build(RAW), build(RAW, pad_value=pad_value))
    seen = bridge(batch['inputs'], batch['data_samples'])
    assert torch.equal(batch['inputs'], before)
    # The second image is 48 high in a batch of 64.
    assert (seen[1, :, 48:] == pad_value).all()
    assert torch.equal(seen[1, :, :48], before[1, :, :48])


def test_padding_that_does_not_fit_the_teacher_is_refused():
    with pytest.raises(ValueError, match='multiples of 16, the teacher needs multiples of 32'):
        TeacherInput(build(PYTORCH, pad_size_divisor=16), build(PYTORCH))


def test_an_unknown_normalisation_is_refused():
    plain = MODELS.build(dict(type='mmengine.BaseDataPreprocessor'))
    with pytest.raises(ValueError, match='The teacher has a .*BaseDataPreprocessor'):
        TeacherInput(build(PYTORCH), plain)
