import pytest

from benchmarks.training.settings import FAMILIES, Setting

TYPES = {'faster_rcnn': 'DistillTwoStageDetector', 'retinanet': 'DistillSingleStageDetector'}


@pytest.mark.parametrize('family', FAMILIES)
def test_coco_pairs_are_those_of_the_shipped_configs(family):
    config = Setting(family, 800, 1344, batch=2, coco=True, selector='AllSamples').config()
    assert config.type == TYPES[family]
    assert (config.backbone.depth, config.teacher.config.backbone.depth) == (50, 101)
    assert config.backbone.init_cfg is config.teacher.config.backbone.init_cfg is None
    assert config.selector.type == 'AllSamples'
    assert list(config.distill_losses) == ['loss_kd', 'loss_rank']


@pytest.mark.parametrize('family', FAMILIES)
def test_narrow_pairs_are_as_wide_as_the_embedded_ones(family):
    config = Setting(family, 128, 128, batch=4, coco=False).config()
    teacher = config.teacher.config
    assert config.type == TYPES[family]
    assert (config.backbone.base_channels, teacher.backbone.base_channels) == (16, 32)
    for detector in (config, teacher):
        head = detector.bbox_head if 'bbox_head' in detector else detector.roi_head.bbox_head
        assert head.num_classes == 27
        assert detector.neck.in_channels[0] == detector.backbone.base_channels
    assert 'distill_losses' not in teacher
