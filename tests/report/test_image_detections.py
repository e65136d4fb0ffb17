import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmdet_kdrank.report.image_detections import detect, draw_gallery, image_ap50
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.validation import Validation
from tests.detectors import FASTER, RETINA

BOXES = torch.tensor([[0.0, 0, 20, 20], [30, 30, 60, 60]])


def found(boxes, labels, scores):
    return InstanceData(bboxes=boxes, labels=torch.tensor(labels), scores=torch.tensor(scores))


@pytest.mark.parametrize(
    ('detections', 'expected'),
    [
        (found(BOXES, [0, 1], [0.9, 0.8]), 1.0),
        (found(BOXES, [0, 0], [0.9, 0.8]), 0.5),
        # A wrong box before the right one halves the precision of that class.
        (found(BOXES[[1, 0, 1]], [0, 0, 1], [0.9, 0.8, 0.7]), 0.75),
        (found(BOXES[:0], [], []), 0.0),
        # A class that is not there.
        (found(BOXES[[0, 1, 0]], [0, 1, 2], [0.9, 0.8, 0.95]), 1.0),
    ],
)
def test_ap50_of_one_picture(detections, expected):
    truth = InstanceData(bboxes=BOXES, labels=torch.tensor([0, 1]))
    assert image_ap50(detections, truth, 3) == pytest.approx(expected)


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_detections_are_in_pixels_of_the_file(trained_run, name):
    run = FinishedRun(trained_run(name))
    config = run.config.copy()
    model = run.load('cpu').model
    plain = detect(model, Validation(config)[0])
    again = detect(model, Validation(config)[0])
    assert torch.equal(plain.bboxes, again.bboxes) and len(plain.scores)
    config.val_dataloader.dataset.pipeline[1].scale = (256, 256)
    picture = Validation(config)[0]
    assert picture.input_boxes.max() > 64
    assert detect(model, picture).bboxes.max() <= 64


META = {'classes': ('disc', 'star'), 'palette': [(255, 0, 0), (0, 255, 0)]}


def drawn(tmp_path, score):
    picture = np.full((32, 32, 3), 128, dtype=np.uint8)
    box = torch.tensor([[4.0, 4.0, 28.0, 28.0]])
    truth = InstanceData(bboxes=box, labels=torch.tensor([0]))
    found = InstanceData(bboxes=box, labels=torch.tensor([1]), scores=torch.tensor([score]))
    columns = {'truth': [truth, truth], 'found': [found, found]}
    draw_gallery([picture, picture], columns, META, tmp_path / 'gallery.png')
    assert torch.equal(truth.bboxes, box)
    return cv2.imread(str(tmp_path / 'gallery.png')).astype(int)


def share_of(picture, channel):
    others = [c for c in range(3) if c != channel]
    return (picture[..., channel] > picture[..., others].max(axis=-1) + 60).mean()


def test_boxes_have_the_colours_of_their_classes(tmp_path):
    picture = drawn(tmp_path, score=0.9)
    assert share_of(picture, 2) > 0.001
    assert share_of(picture, 1) > 0.001


def test_unsure_detections_are_left_out(tmp_path):
    picture = drawn(tmp_path, score=0.1)
    assert share_of(picture, 2) > 0.001
    assert share_of(picture, 1) == 0
