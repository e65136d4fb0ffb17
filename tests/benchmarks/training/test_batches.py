import pytest
import torch

from benchmarks.training.batches import make_batch
from benchmarks.training.settings import Setting


def check(batch, number, shape, classes):
    assert len(batch['inputs']) == len(batch['data_samples']) == number
    for picture, sample in zip(batch['inputs'], batch['data_samples'], strict=True):
        assert picture.dtype == torch.uint8
        assert picture.shape == (3, *shape)
        assert sample.img_shape == shape
        boxes, labels = sample.gt_instances.bboxes, sample.gt_instances.labels
        boxes = getattr(boxes, 'tensor', boxes)
        assert len(boxes) == len(labels) > 0
        assert labels.max() < classes
        assert (boxes[:, :2] < boxes[:, 2:]).all()
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([*shape[::-1], *shape[::-1]])).all()


def test_pictures_of_the_embedded_data_set():
    check(make_batch(Setting('faster_rcnn', 64, 64, batch=3, coco=False)), 3, (64, 64), 27)


def test_noise_at_the_size_of_coco():
    check(make_batch(Setting('retinanet', 96, 160, batch=2, coco=True)), 2, (96, 160), 80)


@pytest.mark.parametrize('coco', [False, True])
def test_the_same_each_time(coco):
    setting = Setting('retinanet', 96, 96, batch=2, coco=coco)
    batch, again = make_batch(setting), make_batch(setting)
    assert all(map(torch.equal, batch['inputs'], again['inputs']))
