from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.runner import Runner

from mmdet_kdrank.datasets.shapes import CLASSES, ShapesSpec, draw_scene, write_shapes
from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.runs.box_agreement import (
    class_agreement,
    class_logits,
    class_logits_of_true_boxes,
    class_output_of,
)
from tests.detectors import ATSS, CASCADE, FCOS, RETINA, build, raw_batch, small_config

CONFIG = Path(__file__).parents[2] / 'configs' / 'shapes' / 'faster-rcnn_r18w16_shapes.py'


@pytest.fixture(scope='module')
def config():
    register_all_modules()
    return Config.fromfile(CONFIG)


@pytest.fixture(scope='module')
def batches(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'shapes'
    write_shapes(folder, ShapesSpec(seed=1, num_train=1, num_val=3, size=128))
    loader = config.val_dataloader.copy()
    loader.batch_size = 2
    loader.dataset.data_root = f'{folder}/'
    return Runner.build_dataloader(loader)


def detector(config, seed):
    torch.manual_seed(seed)
    model = MODELS.build(config.model).eval()
    torch.nn.init.normal_(model.roi_head.bbox_head.fc_cls.weight)
    return model


def test_one_row_of_logits_for_each_annotated_box(config, batches):
    logits = [class_logits_of_true_boxes(detector(config, 0), batch) for batch in batches]
    expected = [len(draw_scene(1, 'val', index)[1]) for index in range(3)]
    assert [len(rows) for rows in logits] == [expected[0] + expected[1], expected[2]]
    assert logits[0].shape[1] == len(CLASSES) + 1


def test_detector_agrees_with_itself_and_not_with_its_opposite(config, batches):
    model, opposite = detector(config, 0), detector(config, 0)
    for parameter in opposite.roi_head.bbox_head.fc_cls.parameters():
        parameter.data.neg_()
    same = class_agreement(model, model, batches)
    assert (same['tau'], same['top1']) == (pytest.approx(1.0), 1.0)
    assert same['boxes'] == sum(len(draw_scene(1, 'val', index)[1]) for index in range(3))
    against = class_agreement(opposite, model, batches)
    assert (against['tau'], against['top1']) == (pytest.approx(-1.0), 0.0)


def test_strangers_hardly_agree(config, batches):
    found = class_agreement(detector(config, 0), detector(config, 1), batches)
    assert abs(found['tau']) < 0.5


def overlap_and_distance(a, b):
    """Intersection over union of two boxes, and how far their centres are apart."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    apart = [(a[i] + a[i + 2] - b[i] - b[i + 2]) / 2 for i in (0, 1)]
    return width * height / (sum(areas) - width * height), (apart[0] ** 2 + apart[1] ** 2) ** 0.5


def priors_and_logits(model, maps, image):
    """Box and logits of each prior of an image, by the definition of MMDetection's layout."""
    generator = model.bbox_head.prior_generator
    for level, level_map in enumerate(maps):
        height, width = level_map.shape[-2:]
        priors = generator.single_level_grid_priors((height, width), level, device='cpu')
        anchors = len(priors) // (height * width)
        for index, prior in enumerate(priors.tolist()):
            if len(prior) == 2:
                half = generator.strides[level][0] / 2
                prior = [prior[0] - half, prior[1] - half, prior[0] + half, prior[1] + half]
            cell, anchor = divmod(index, anchors)
            logits = level_map[image, :, cell // width, cell % width].chunk(anchors)[anchor]
            yield prior, logits


@pytest.mark.parametrize('name', [RETINA, ATSS, FCOS])
def test_dense_detector_answers_at_the_prior_that_overlaps_most(name):
    model, batch = build(small_config(name)).eval(), raw_batch()
    boxes = [sample.gt_instances.bboxes for sample in batch['data_samples']]
    found = iter(class_logits(model, batch, boxes))
    with torch.no_grad():
        inputs = model.data_preprocessor(batch, training=False)['inputs']
        maps = model.bbox_head(model.extract_feat(inputs))[0]
    for image, image_boxes in enumerate(boxes):
        for box in image_boxes.tolist():
            rows = [
                (*overlap_and_distance(box, prior), logits)
                for prior, logits in priors_and_logits(model, maps, image)
            ]
            most = max(row[0] for row in rows)
            rows = [row for row in rows if row[0] > most - 2e-5]
            nearest = min(row[1] for row in rows)
            # Anchors of one place and area may tie in both.
            answers = [row[2] for row in rows if row[1] < nearest + 1e-4]
            logits = next(found)
            assert any(torch.allclose(logits, each, atol=1e-6) for each in answers)
            assert len(answers) <= 3


def test_cascade_answers_with_its_last_stage():
    model, batch = build(small_config(CASCADE)).eval(), raw_batch()
    for stage, head in enumerate(model.roi_head.bbox_head):
        torch.nn.init.constant_(head.fc_cls.weight, 0)
        torch.nn.init.constant_(head.fc_cls.bias, stage)
    assert (class_logits_of_true_boxes(model, batch) == 2).all()


def test_detector_without_a_box_head_is_refused():
    with pytest.raises(ArgumentTypeError, match='Identity has no bbox_head'):
        class_output_of(torch.nn.Identity())
