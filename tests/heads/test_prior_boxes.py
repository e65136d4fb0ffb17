import torch
from mmdet.registry import MODELS
from torch import nn

from mmdet_kdrank.heads.priors import prior_boxes
from tests.detectors import FCOS, RETINA, small_config


def head_and_maps(name, channels):
    head = MODELS.build(small_config(name).bbox_head)
    sizes = [(4, 5), (2, 3), (1, 2), (1, 1), (1, 1)]
    return head, [torch.zeros(2, channels, *size) for size in sizes]


def test_anchors_level_by_level_image_by_image():
    head, maps = head_and_maps(RETINA, 9 * 5)
    expected = []
    for stride, level in zip((8, 16, 32, 64, 128), maps, strict=True):
        for _image in range(2):
            for y in range(level.shape[2]):
                for x in range(level.shape[3]):
                    for ratio in (0.5, 1.0, 2.0):
                        for scale in (1, 2 ** (1 / 3), 2 ** (2 / 3)):
                            width = 4 * scale * stride / ratio**0.5
                            half = torch.tensor([width, width * ratio]) / 2
                            centre = torch.tensor([x * stride, y * stride])
                            expected.append(torch.cat([centre - half, centre + half]))
    torch.testing.assert_close(prior_boxes(head, maps), torch.stack(expected))


def test_a_point_stands_for_its_cell():
    head, maps = head_and_maps(FCOS, 5)
    boxes = prior_boxes(head, maps)
    assert len(boxes) == sum(2 * level[0, 0].numel() for level in maps)
    expected = [[x * 8.0, y * 8.0, x * 8 + 8.0, y * 8 + 8.0] for y in range(4) for x in range(5)]
    assert boxes[:20].tolist() == boxes[20:40].tolist() == expected
    assert boxes[-1].tolist() == [0, 0, 128, 128]


def test_other_strides_by_axis():
    head = nn.Module()
    head.prior_generator = MODELS.build(small_config(FCOS).bbox_head).prior_generator.__class__(
        strides=[(8, 4)]
    )
    boxes = prior_boxes(head, [torch.zeros(1, 5, 2, 1)])
    assert boxes.tolist() == [[0, 0, 8, 4], [0, 4, 8, 8]]
