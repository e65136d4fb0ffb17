import pytest
import torch
from mmengine.structures import InstanceData

from mmdet_kdrank.report.image_scores import detect, image_ap50
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
