import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData

from mmdet_kdrank.report.gallery import draw_gallery

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
