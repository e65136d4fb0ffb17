import pytest
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector

from mmdet_kdrank.distillers import ClassOutput
from mmdet_kdrank.distillers.session import check_outputs, check_teacher
from tests.detectors import RETINA, build, small_config


@pytest.fixture
def teacher():
    return build(small_config(RETINA))


def test_a_teacher_of_the_family_passes(teacher):
    check_teacher(teacher, (TwoStageDetector, SingleStageDetector))


def test_one_of_another_family_is_refused(teacher):
    with pytest.raises(ValueError, match='is a RetinaNet, and the student needs a TwoStageDet'):
        check_teacher(teacher, (TwoStageDetector,))


@pytest.mark.parametrize(
    'theirs',
    [
        ClassOutput('sigmoid', 3, background=True),
        ClassOutput('softmax', 3, background=False),
    ],
)
def test_logits_that_mean_other_things_are_refused(theirs):
    ours = ClassOutput('softmax', 3, background=True)
    check_outputs([(ours, ClassOutput('softmax', 80, background=True))])
    with pytest.raises(ValueError, match='mean different things'):
        check_outputs([(ours, ours), (ours, theirs)])
