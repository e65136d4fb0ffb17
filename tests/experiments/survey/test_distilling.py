import pytest

from experiments.survey.distilling import OTHER, distilling, family_of


@pytest.mark.parametrize(
    ('detector', 'family', 'distiller'),
    [
        ('FasterRCNN', 'two-stage', 'DistillTwoStageDetector'),
        ('RetinaNet', 'single-stage', 'DistillSingleStageDetector'),
        ('CondInst', 'single-stage with masks', 'DistillSingleStageInstanceSegmentor'),
        ('DETR', 'query-based', 'DistillQueryDetector'),
        ('SparseRCNN', 'query-based', 'DistillQueryDetector'),
        ('MaskFormer', 'single-stage', 'DistillSingleStageDetector'),
        ('ByteTrack', OTHER, 'DistillSingleStageDetector'),
    ],
)
def test_the_class_of_the_detector_decides(detector, family, distiller):
    config = distilling(dict(type=detector, neck={}), 'teacher.pth')
    assert family_of(detector) == family
    assert (config.type, config.student_type) == (distiller, detector)
    assert config.teacher == dict(config=dict(type=detector, neck={}), checkpoint='teacher.pth')
    assert config.distill_losses.keys() == {'loss_kd', 'loss_rank'}


def test_the_base_class_of_a_family_needs_no_student_type():
    assert 'student_type' not in distilling(dict(type='SingleStageDetector'), 'teacher.pth')
