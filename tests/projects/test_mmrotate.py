from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

from tests.projects.steps import check_family, distiller, from_scratch, installed, rows_of

installed('mmrotate')

FAMILIES = {
    'Rotated Faster R-CNN': 'rotated_faster_rcnn/rotated-faster-rcnn-le90_r50_fpn_1x_dota.py',
    'Oriented R-CNN': 'oriented_rcnn/oriented-rcnn-le90_r50_fpn_1x_dota.py',
    'RoI Transformer': 'roi_trans/roi-trans-le90_r50_fpn_1x_dota.py',
    'Gliding Vertex': 'gliding_vertex/gliding-vertex-qbox_r50_fpn_1x_dota.py',
    'Rotated RetinaNet': 'rotated_retinanet/rotated-retinanet-rbox-le90_r50_fpn_1x_dota.py',
    'CSL': 'csl/rotated-retinanet-rbox-le90_r50_fpn_csl-gaussian_amp-1x_dota.py',
    'Rotated FCOS': 'rotated_fcos/rotated-fcos-le90_r50_fpn_1x_dota.py',
    'Rotated RTMDet': 'rotated_rtmdet/rotated_rtmdet_tiny-3x-dota.py',
}
REFUSED = {
    's2anet/s2anet-le135_r50_fpn_1x_dota.py': 'it classifies anchors that it has moved before',
    'r3det/r3det-oc_r50_fpn_1x_dota.py': 'it classifies anchors that it has moved before',
    'h2rbox/h2rbox-le90_r50_fpn_adamw-1x_dota.py': 'it trains on rotated crops',
}
# mmcv has a rotated IoU with gradients for GPUs alone, so these families train on another box loss.
ON_GPUS = ('Rotated FCOS', 'Rotated RTMDet')
EXAMPLE = 'examples/other_projects/configs/oriented-rcnn_r50-r18_kd-rank_dota.py'


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmrotate'):
        yield


def model_of(name, width=4):
    model = from_scratch(get_config(f'mmrotate::{name}').model)
    if 'depth' in model.backbone:
        model.backbone.update(depth=18, base_channels=width, frozen_stages=-1)
        model.neck.in_channels = [width * 2**i for i in range(4)]
    return model


def batch_of(kind='rbox', size=128):
    from mmrotate.structures.bbox import RotatedBoxes

    generator = torch.Generator().manual_seed(0)
    images, samples = [], []
    for _ in range(2):
        centre, extent, angle = (torch.rand(6, n, generator=generator) for n in (2, 2, 1))
        boxes = RotatedBoxes(
            torch.cat([24 + 80 * centre, 16 + 40 * extent, 3 * angle - 1.5], 1)
        ).convert_to(kind)
        shape = (size, size)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=shape, ori_shape=shape, pad_shape=shape, scale_factor=(1.0, 1.0)
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=torch.randint(15, (6,), generator=generator)
        )
        sample.ignored_instances = InstanceData(
            bboxes=boxes[:0], labels=torch.zeros(0, dtype=torch.long)
        )
        images.append(torch.randint(256, (3, *shape), generator=generator, dtype=torch.uint8))
        samples.append(sample)
    return dict(inputs=images, data_samples=samples)


@pytest.mark.parametrize('family', FAMILIES)
def test_family(family, tmp_path):
    model = model_of(FAMILIES[family])
    if family in ON_GPUS:
        model.bbox_head.loss_bbox = dict(type='GDLoss', loss_type='gwd', loss_weight=2.0)
    kind = 'qbox' if family == 'Gliding Vertex' else 'rbox'
    check_family(model, tmp_path, lambda: batch_of(kind))


@pytest.mark.parametrize('name', REFUSED)
def test_refused(name, tmp_path):
    model = model_of(name)
    with pytest.raises(ValueError, match=REFUSED[name]):
        distiller(model, model, tmp_path)


def test_rois_that_are_rotated_reach_the_teacher_with_their_angle(tmp_path):
    model = model_of(FAMILIES['RoI Transformer'])
    student = distiller(model, model, tmp_path)
    seen, forward = [], student.teacher_session.model.roi_head._bbox_forward

    def watched(stage, x, rois):
        seen.append((stage, rois.shape[1]))
        return forward(stage, x, rois)

    student.teacher_session.model.roi_head._bbox_forward = watched
    rows_of(student, batch_of())
    assert set(seen) == {(0, 5), (1, 6)}


def test_losses_of_objects_refuse_rotated_boxes(tmp_path):
    model = model_of(FAMILIES['Rotated RetinaNet'])
    crank = dict(type='CandidateRankLoss', rows='object')
    student = distiller(model, model, tmp_path, distill_losses=dict(loss_crank=crank))
    with pytest.raises(ValueError, match="horizontal boxes of 4 values.*have 5.*rows='class'"):
        rows_of(student, batch_of())


def test_the_example_builds():
    config = Config.fromfile(Path(__file__).parents[2] / EXAMPLE)
    student = MODELS.build(from_scratch(config.model))
    assert type(student).__name__ == 'DistillTwoStageDetector'
    assert config.default_scope == 'mmrotate'
