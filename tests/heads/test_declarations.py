"""What "class logits" means for each head, with the head's own prediction for an oracle."""

import subprocess
import sys

import pytest
import torch
from mmdet.models import dense_heads
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hub import get_config

from mmdet_kdrank.distillers import ClassOutput
from mmdet_kdrank.heads import class_output
from mmdet_kdrank.heads.class_output import _DECLARATIONS
from tests.detectors import CASCADE, FASTER
from tests.heads.dense_heads import CLASSES, HEADS, features, samples, stock_head

EVERY_SCORE = ConfigDict(score_thr=-1.0, nms_pre=100_000, min_bbox_size=-1, conf_thr=-1.0)
# PAA's forward is ATSS's, YOLOX reports the best class alone, SABL weighs by the confidence of its
# boxes, guided anchoring predicts where something may be: see the next test and test_class_targets.
APART = ('PAAHead', 'YOLOXHead', 'SABLRetinaHead', 'GARetinaHead')
PREDICTING = [name for name in HEADS if name not in APART]
WITH_CENTERNESS = ('ATSSHead', 'DDODHead', 'FCOSHead', 'AutoAssignHead', 'CondInstBboxHead')


def prediction(head, outputs):
    """What the head reports for the second image, all scores of all priors."""
    if not hasattr(head, 'loss_cls'):
        # MMDetection 3.3's SSDHead cannot predict without.
        head.loss_cls = None
    metas = [sample.metainfo for sample in samples(head)]
    return head.predict_by_feat(
        *outputs, batch_img_metas=metas, cfg=EVERY_SCORE, rescale=False, with_nms=False
    )[1]


def scores_of(logits, output):
    """The foreground scores that class logits stand for, written out."""
    if output.activation == 'sigmoid':
        return 1 / (1 + torch.exp(-logits[:, : output.num_classes]))
    exponentials = torch.exp(logits)
    return (exponentials / exponentials.sum(1, keepdim=True))[:, : output.num_classes]


def factors(name, outputs, count):
    """What the head multiplies the scores of the second image's priors by."""
    if name in WITH_CENTERNESS:
        return torch.cat([level[1].flatten() for level in outputs[2]]).sigmoid()
    if name == 'YOLOV3Head':
        objectness = [level[1].unflatten(0, (-1, CLASSES + 5))[:, 4] for level in outputs[0]]
        return torch.cat([level.permute(1, 2, 0).flatten() for level in objectness]).sigmoid()
    return torch.ones(count)


@pytest.mark.parametrize('name', PREDICTING)
@torch.no_grad()
def test_the_scores_that_a_dense_head_reports_are_those_of_the_logits(name):
    head = stock_head(name).eval()
    outputs = head(features(head))
    output = class_output(head)
    logits = torch.cat([output.rows(level)[1] for level in outputs[0]])
    assert logits.shape[1] == output.channels >= CLASSES
    results = prediction(head, outputs)
    assert len(results) == CLASSES * len(logits)
    scores = scores_of(logits, output) * factors(name, outputs, len(logits))[:, None]
    for column in range(CLASSES):
        expected = results.scores[results.labels == column].sort().values
        torch.testing.assert_close(scores[:, column].sort().values, expected)


@torch.no_grad()
def test_yolox_multiplies_the_scores_of_the_logits_by_its_objectness():
    head = stock_head('YOLOXHead').eval()
    outputs = head(features(head))
    output = class_output(head)
    logits = torch.cat([output.rows(level)[1] for level in outputs[0]])
    objectness = torch.cat([level[1].flatten() for level in outputs[2]]).sigmoid()
    expected = (scores_of(logits, output).amax(1) * objectness).sort().values
    torch.testing.assert_close(prediction(head, outputs).scores.sort().values, expected)


def roi_head(name, **changes):
    model = get_config(f'mmdet::{name}').model
    head = model.roi_head.bbox_head
    head = head[0] if isinstance(head, list) else head
    return MODELS.build({**head, **changes})


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        (FASTER, ClassOutput('softmax', 80, background=True)),
        (CASCADE, ClassOutput('softmax', 80, background=True)),
        (
            'double_heads/dh-faster-rcnn_r50_fpn_1x_coco.py',
            ClassOutput('softmax', 80, background=True),
        ),
        ('sabl/sabl-faster-rcnn_r50_fpn_1x_coco.py', ClassOutput('softmax', 80, background=True)),
        ('scnet/scnet_r50_fpn_1x_coco.py', ClassOutput('softmax', 80, background=True)),
        ('sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py', ClassOutput('sigmoid', 80, False)),
        (
            'seesaw_loss/mask-rcnn_r50_fpn_seesaw-loss_random-ms-2x_lvis-v1.py',
            ClassOutput('softmax', 1203, background=False, extra=2),
        ),
        (
            'v3det/faster_rcnn_r50_fpn_8x4_sample1e-3_mstrain_v3det_2x.py',
            ClassOutput('sigmoid', 13204, background=False),
        ),
    ],
)
def test_roi_heads(name, expected):
    assert class_output(roi_head(name)) == expected


def test_losses_over_other_activations():
    sigmoid = dict(type='CrossEntropyLoss', use_sigmoid=True)
    assert class_output(roi_head(FASTER, loss_cls=sigmoid)) == (
        ClassOutput('sigmoid', 80, background=True)
    )
    retina = get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py').model.bbox_head
    softmax = MODELS.build({**retina, 'loss_cls': dict(type='CrossEntropyLoss')})
    assert class_output(softmax) == ClassOutput('softmax', 80, background=True)


@torch.no_grad()
def test_the_logits_of_a_head_with_objectness_of_its_own():
    """Seesaw: a softmax over the classes, times the share of another softmax over two values."""
    head = roi_head(
        FASTER,
        num_classes=CLASSES,
        loss_cls=dict(type='SeesawLoss', num_classes=CLASSES),
    )
    values = torch.randn(4, CLASSES + 2)
    output = class_output(head)
    reported = head.loss_cls.get_activation(values)[:, :CLASSES]
    objectness = values[:, CLASSES:].softmax(1)[:, :1]
    torch.testing.assert_close(scores_of(output.logits(values), output) * objectness, reported)


class StrangeLoss(torch.nn.Module):
    custom_cls_channels = True
    use_sigmoid = False

    def get_cls_channels(self, num_classes):
        return num_classes + 3


def test_unknown_class_channels_are_refused():
    MODELS.register_module(module=StrangeLoss, force=True)
    with pytest.raises(TypeError, match='StrangeLoss: that loss has 83 class channels for 80'):
        class_output(roi_head(FASTER, loss_cls=dict(type='StrangeLoss')))


@pytest.mark.parametrize(
    ('name', 'part', 'reason'),
    [
        (
            'crowddet/crowddet-rcnn_r50_fpn_8xb2-30e_crowdhuman.py',
            'roi',
            'MultiInstanceBBoxHead .* a set of instances for each RoI',
        ),
        (FASTER, 'rpn_head', 'RPNHead .* one class and so nothing to rank'),
    ],
)
def test_heads_without_class_logits_of_a_prior_are_refused_with_the_reason(name, part, reason):
    if part == 'roi':
        head = roi_head(name)
    else:
        head = MODELS.build(get_config(f'mmdet::{name}').model[part])
    with pytest.raises(TypeError, match=reason):
        class_output(head)


def test_every_dense_head_of_mmdetection_is_declared_or_refused():
    """One that a new MMDetection brings shows up here."""
    # Abstract ones, those that are part of another head, and those that are matched by queries.
    apart = {'AnchorHead', 'AnchorFreeHead', 'GuidedAnchorHead', 'StageCascadeRPNHead'}
    apart |= {'MaskFormerHead', 'Mask2FormerHead'}
    heads = (getattr(dense_heads, name) for name in dense_heads.__all__)
    for head in heads:
        if issubclass(head, BaseDenseHead) and head.__name__ not in apart:
            owners = (
                cls
                for cls in head.__mro__
                if cls in _DECLARATIONS or {'forward', 'forward_single'} & vars(cls).keys()
            )
            assert next(owners) in _DECLARATIONS, head


def test_classes_that_this_version_of_mmdet_lacks_are_skipped():
    code = (
        'import mmdet.models as models\n'
        'del models.dense_heads.DDODHead, models.roi_heads.bbox_heads.SCNetBBoxHead\n'
        'del models.detectors.CrowdDet, models.vis\n'
        'from mmdet_kdrank.heads import declarations\n'
        'assert declarations.reason_against(models.detectors.RPN)\n'
        'assert declarations.reason_against(models.detectors.ATSS) is None\n'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
