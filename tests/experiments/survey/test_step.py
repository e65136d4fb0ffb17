"""A sample of the survey itself."""

import pytest

from experiments.survey import distilling
from experiments.survey.configs import stock_configs
from experiments.survey.lean import lean_model
from experiments.survey.outcome import REFUSED, outcome_of
from experiments.survey.step import distilling_step, stock_step
from mmdet_kdrank.check.random_batch import SIZES

WORKS = [
    'faster_rcnn/faster-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py',
    'cascade_rcnn/cascade-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py',
    'fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py',
    'mask_rcnn/mask-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py',
    'retinanet/retinanet_r18_fpn_1x_coco.py',
    'ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py',
    'yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py',
    'yolox/yolox_tiny_8xb8-300e_coco.py',
    'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'condinst/condinst_r50_fpn_ms-poly-90k_coco_instance.py',
    'centernet/centernet_r18_8xb16-crop512-140e_coco.py',
    'solo/solo_r18_fpn_8xb8-lsj-200e_coco.py',
    'detr/detr_r18_8xb2-500e_coco.py',
]
SLOW = [name for name in WORKS if name.startswith(('cascade_rcnn/', 'condinst/', 'solo/'))]
REFUSALS = {
    'mask2former/mask2former_r50_8xb2-lsj-50e_coco.py': 'mask queries are learned',
    'rpn/rpn_r50_fpn_1x_coco.py': 'one class',
    'ld/ld_r18-gflv1-r101_fpn_1x_coco.py': 'distilling detector already',
}


def model_of(name):
    (config,) = stock_configs(name)
    return lean_model(config.model)


@pytest.mark.parametrize(
    'name', [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in WORKS]
)
def test_works(name, tmp_path):
    distilling_step(model_of(name), SIZES[0], tmp_path)


@pytest.mark.parametrize(('name', 'reason'), REFUSALS.items(), ids=REFUSALS)
def test_is_refused_by_a_distiller(name, reason, tmp_path):
    with pytest.raises((TypeError, ValueError), match=reason) as caught:
        distilling_step(model_of(name), SIZES[0], tmp_path)
    assert outcome_of(caught.value).result == REFUSED


def test_the_stock_detector_trains_without_a_teacher():
    stock_step(model_of(WORKS[4]), SIZES[0])


def test_a_loss_without_gradient_does_not_pass(tmp_path, monkeypatch):
    losses = dict(distilling.LOSSES, loss_rank=dict(type='KendallRankLoss', loss_weight=0.0))
    monkeypatch.setattr(distilling, 'LOSSES', losses)
    with pytest.raises(AssertionError, match='loss_rank has no gradient'):
        distilling_step(model_of(WORKS[4]), SIZES[0], tmp_path)
