import copy

import pytest
from mmdet.models.detectors import FasterRCNN
from mmdet.registry import MODELS
from mmengine.hub import get_config

from mmdet_kdrank.distillers import DistillSingleStageDetector, DistillTwoStageDetector
from tests.detectors import FASTER, RETINA, distiller_config, small_config

RTMDET = 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py'
TRIDENT = 'tridentnet/tridentnet_r50-caffe_1x_coco.py'


@MODELS.register_module(force=True)
class CountingRCNN(FasterRCNN):
    """A user's own detector that overrides ``loss``."""

    def loss(self, *args):
        losses = super().loss(*args)
        return {**losses, 'count': losses['loss_cls'].new_tensor(1.0)}


def distiller(name, **changes):
    return MODELS.build(distiller_config({**small_config(name), **changes}, {}, 'absent.pth'))


def test_the_default_is_the_base_class_of_the_family():
    model = distiller(FASTER)
    assert type(model) is DistillTwoStageDetector
    assert not isinstance(model, FasterRCNN)


@pytest.mark.parametrize('student_type', ['CountingRCNN', CountingRCNN])
def test_student_type_keeps_the_students_own_class(student_type):
    model = distiller(FASTER, student_type=student_type)
    assert isinstance(model, DistillTwoStageDetector)
    assert isinstance(model, CountingRCNN)
    order = type(model).__mro__
    assert order.index(DistillTwoStageDetector) < order.index(CountingRCNN)
    assert type(copy.deepcopy(model)) is type(model)


def test_a_constructor_of_its_own_needs_student_type():
    model = get_config(f'mmdet::{RTMDET}').model
    model.use_syncbn = False
    with pytest.raises(
        TypeError, match='SingleStageDetector takes no argument use_syncbn.*student_type'
    ):
        MODELS.build(distiller_config(model, {}, 'absent.pth'))
    kept = MODELS.build(distiller_config({**model, 'student_type': 'RTMDet'}, {}, 'absent.pth'))
    assert isinstance(kept, DistillSingleStageDetector)
    assert isinstance(kept, MODELS.get('RTMDet'))


def test_a_head_that_needs_its_own_detector_needs_student_type():
    model = get_config(f'mmdet::{TRIDENT}').model
    with pytest.raises(TypeError, match='TridentRoIHead needs a TridentFasterRCNN.*student_type'):
        MODELS.build(distiller_config(model, {}, 'absent.pth'))


@pytest.mark.parametrize(
    ('student_type', 'error', 'message'),
    [
        ('NoSuchRCNN', KeyError, "student_type='NoSuchRCNN' is not in the registry"),
        ('RetinaNet', ValueError, 'is no TwoStageDetector'),
        ('DistillTwoStageDetector', ValueError, 'is a distilling detector itself'),
    ],
)
def test_refused_student_types(student_type, error, message):
    with pytest.raises(error, match=message):
        distiller(FASTER, student_type=student_type)


def test_dense_students_too():
    assert isinstance(distiller(RETINA, student_type='RetinaNet'), MODELS.get('RetinaNet'))
