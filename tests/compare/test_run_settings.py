import pytest
from mmdet.evaluation import CocoMetric, VOCMetric
from mmengine.config import Config

from mmdet_kdrank.compare.run_settings import coco_metric


@pytest.mark.parametrize('kind', ['CocoMetric', 'mmdet.CocoMetric', CocoMetric])
def test_the_metric_is_found_by_name_scope_or_class(kind):
    evaluator = dict(type=kind, ann_file='a.json')
    config = Config(dict(test_evaluator=[dict(type=VOCMetric), evaluator]))
    assert coco_metric(config, 'it').ann_file == 'a.json'


def test_another_metric_is_refused():
    with pytest.raises(ValueError, match='it has no CocoMetric with an ann_file'):
        coco_metric(Config(dict(test_evaluator=dict(type='mmdet.LVISMetric', ann_file='a'))), 'it')
