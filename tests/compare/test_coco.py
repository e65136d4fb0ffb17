import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.structures import DetDataSample
from mmengine.fileio import dump
from mmengine.structures import InstanceData

from mmdet_kdrank.compare.coco import Detections, evaluate_boxes
from mmdet_kdrank.errors import DataError
from tests.compare.fabricated import (
    CLASSES,
    FoundRows,
    annotations,
    coco_evaluation,
    detections,
    open_coco,
)

KEYS = ('mAP', 'AP50', 'AP75', 'AP_s', 'AP_m', 'AP_l')


def samples(content, table):
    """What a detector returns for these rows."""
    made = []
    for image in content['images']:
        rows = torch.from_numpy(table[table[:, 0] == image['id']]).float()
        found = InstanceData(
            bboxes=torch.cat([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], 1),
            scores=rows[:, 5],
            labels=rows[:, 6].long() - 1,
        )
        sample = DetDataSample(metainfo=dict(img_id=image['id'], ori_shape=(100, 100)))
        sample.pred_instances = found
        made.append(sample)
    return made


@pytest.fixture
def content():
    return annotations(seed=3)


def evaluated(content, table):
    coco = open_coco(content)
    found = Detections(coco, CLASSES)
    found.add(samples(content, table))
    return evaluate_boxes(coco, CLASSES, found)


def test_measures_are_those_of_cocometric(content, tmp_path):
    table = detections(content)
    measures, _ = evaluated(content, table)
    dump(content, str(tmp_path / 'annotations.json'))
    metric = CocoMetric(str(tmp_path / 'annotations.json'), classwise=True, format_only=False)
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, [sample.to_dict() for sample in samples(content, table)])
    expected = metric.evaluate(len(content['images']))
    for key, name in zip(KEYS, ('', '_50', '_75', '_s', '_m', '_l'), strict=True):
        value = expected[f'coco/bbox_mAP{name}']
        # CocoMetric rounds to three digits, and says -1 where there is nothing to find.
        assert (measures[key] if measures[key] is not None else -1) == pytest.approx(
            value, abs=6e-4
        )
    for name in CLASSES[:-1]:
        expected_ap = expected[f'coco/{name}_precision']
        assert measures['per_class'][name] == pytest.approx(expected_ap, abs=6e-4)


def test_classes_keep_their_names_in_any_order_of_the_file(content):
    found = FoundRows(detections(content))
    expected, _ = evaluate_boxes(open_coco(content), CLASSES, found)
    content['categories'] = content['categories'][::-1]
    measures, _ = evaluate_boxes(open_coco(content), CLASSES, found)
    assert measures['per_class'] == expected['per_class']
    assert len(set(measures['per_class'].values())) == len(CLASSES)


def test_class_without_objects_has_no_precision(content):
    measures, _ = evaluated(content, detections(content))
    assert measures['per_class']['dog'] is None
    known = [value for value in measures['per_class'].values() if value is not None]
    assert measures['mAP'] == pytest.approx(np.mean(known))


def test_matches_are_cocoevals(content):
    table = detections(content)
    measures, matches = evaluated(content, table)
    evaluation = coco_evaluation(content, table)
    assert measures['mAP'] == pytest.approx(evaluation.stats[0], abs=1e-4)
    objects = [each for each in content['annotations'] if not each['iscrowd']]
    assert matches.positives.sum() == len(objects)
    assert len(matches.score) == len(table)
    assert matches.true_positive.shape == matches.ignored.shape == (len(table), 10)
    assert not (matches.true_positive & matches.ignored).any()
    # What is right at an overlap is at most one detection an object.
    assert (matches.true_positive.sum(0) <= len(objects)).all()


def test_detector_that_finds_nothing_has_a_precision_of_zero(content):
    measures, matches = evaluated(content, np.empty((0, 7)))
    assert measures['mAP'] == 0
    assert len(matches.score) == 0 and matches.positives.sum() > 0


def test_annotations_without_objects_are_refused(content):
    content['annotations'] = []
    with pytest.raises(DataError, match='no object of the classes ant, bee'):
        evaluated(content, np.empty((0, 7)))


@pytest.mark.parametrize(
    'new', [lambda i: f'img_{i:04d}', lambda i: f'{i:06d}', lambda i: 20231115123456780 + i]
)
def test_image_ids_are_kept_as_they_are(content, new):
    """Strings, numerals, and numbers that no float holds."""
    table = detections(content)
    expected, expected_matches = evaluated(content, table)
    predictions = samples(content, table)
    for sample in predictions:
        sample.set_metainfo(dict(img_id=new(sample.img_id)))
    for image in content['images']:
        image['id'] = new(image['id'])
    for entry in content['annotations']:
        entry['image_id'] = new(entry['image_id'])
    coco = open_coco(content)
    found = Detections(coco, CLASSES)
    found.add(predictions)
    measures, matches = evaluate_boxes(coco, CLASSES, found)
    assert measures == expected
    assert matches.image_ids.tolist() == [new(number) for number in expected_matches.image_ids]
    kept = found.arrays()['detection_image_id']
    assert kept.dtype != object and set(kept.tolist()) <= {
        image['id'] for image in content['images']
    }
