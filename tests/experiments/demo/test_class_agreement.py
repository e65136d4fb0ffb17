from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.runner import Runner

from experiments.demo.class_agreement import class_agreement, class_logits_of_true_boxes
from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes
from mmdet_kdrank.datasets.shapes.scene import draw_scene
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES
from tests.detectors import CASCADE, build, raw_batch, small_config

CONFIG = Path(__file__).parents[3] / 'configs' / 'shapes' / 'faster-rcnn_r18w16_shapes.py'


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
    agreement = class_agreement(detector(config, 0), detector(config, 1), batches)
    assert abs(agreement['tau']) < 0.5


def test_cascade_answers_with_its_last_stage():
    model, batch = build(small_config(CASCADE)).eval(), raw_batch()
    for stage, head in enumerate(model.roi_head.bbox_head):
        torch.nn.init.constant_(head.fc_cls.weight, 0)
        torch.nn.init.constant_(head.fc_cls.bias, stage)
    assert (class_logits_of_true_boxes(model, batch) == 2).all()
