import pytest
from mmdet.registry import MODELS

from mmdet_kdrank.heads.declarations import reason_against
from tests.detectors import (
    RETINA,
    build,
    distiller_config,
    save_teacher,
    small_config,
)


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('DINO', 'its queries are learned'),
        ('QueryInst', 'its proposals are learned'),
        ('Mask2Former', 'its mask queries are learned'),
        ('GLIP', 'words of a prompt'),
        ('LAD', 'a distilling detector already'),
        ('SoftTeacher', 'a teacher of its own'),
        ('RPN', 'nothing to rank'),
        ('CrowdDet', 'a set of instances for each RoI'),
        ('ByteTrack', 'it is a tracker'),
        ('Mask2FormerVideo', 'its mask queries are learned'),
        ('BaseReID', 'has no RoIs or anchors'),
    ],
)
def test_detectors_without_rows_that_correspond(name, reason):
    assert reason in reason_against(MODELS.get(name))
    config = distiller_config(small_config(RETINA), {}, 'absent.pth', student_type=name)
    with pytest.raises(ValueError, match=f'{name} cannot be distilled: .*{reason}'):
        MODELS.build(config)


@pytest.mark.parametrize('name', ['FasterRCNN', 'RetinaNet', 'HybridTaskCascade', 'CondInst'])
def test_nothing_against_others(name):
    assert reason_against(MODELS.get(name)) is None


def test_such_a_teacher_is_refused(tmp_path):
    class ProposingNet(MODELS.get('RPN'), MODELS.get('RetinaNet')):
        def __init__(self, **options):
            MODELS.get('RetinaNet').__init__(self, **options)

    MODELS.register_module(module=ProposingNet, force=True)
    teacher = small_config(RETINA)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    teacher.type = 'ProposingNet'
    with pytest.raises(ValueError, match='ProposingNet cannot be a teacher: it proposes regions'):
        build(distiller_config(small_config(RETINA), teacher, checkpoint))
