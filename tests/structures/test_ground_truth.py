import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from mmdet_kdrank.distillers import GroundTruth
from tests.detectors import raw_batch


@pytest.mark.parametrize('wrap', [lambda boxes: boxes, HorizontalBoxes])
def test_objects_of_all_images_in_order(wrap):
    data_samples = raw_batch(shapes=((64, 64), (48, 64), (32, 32)))['data_samples']
    instances = [sample.gt_instances for sample in data_samples]
    data_samples[1].gt_instances = instances[1][:0]
    for sample in data_samples:
        sample.gt_instances.bboxes = wrap(sample.gt_instances.bboxes)
    truth = GroundTruth.from_data_samples(data_samples)
    assert len(truth) == 6
    assert truth.image.tolist() == [0, 0, 0, 2, 2, 2]
    assert type(truth.boxes) is torch.Tensor
    plain = raw_batch(shapes=((64, 64), (48, 64), (32, 32)))['data_samples']
    for name, joined in (('bboxes', truth.boxes), ('labels', truth.labels)):
        expected = torch.cat([plain[image].gt_instances[name] for image in (0, 2)])
        assert torch.equal(joined, expected)


def test_no_object_at_all():
    truth = GroundTruth.from_data_samples(raw_batch(boxes=0)['data_samples'])
    assert truth.boxes.shape == (0, 4)
    assert truth.labels.dtype == truth.image.dtype == torch.int64
