import pytest
import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.registry import MODELS
from mmengine.hub import get_config

from mmdet_kdrank.distillers import ClassOutput, class_output, declare_class_output
from tests.detectors import ATSS, CASCADE, FASTER, FCOS, GFL, RETINA

TOOD = 'tood/tood_r50_fpn_1x_coco.py'
YOLOV3 = 'yolo/yolov3_d53_8xb8-320-273e_coco.py'
SSD = 'ssd/ssd300_coco.py'


@pytest.mark.parametrize('name', [RETINA, FCOS, ATSS, GFL, TOOD, YOLOV3, SSD])
def test_dense_rows_match_what_the_head_itself_makes_of_its_map(name):
    """The head's own order and slicing, read off its prediction code, is the oracle."""
    model = get_config(f'mmdet::{name}').model
    head_config = model.bbox_head
    head_config.update(num_classes=7)
    head = MODELS.build({**head_config, 'train_cfg': None, 'test_cfg': None})
    output = class_output(head)
    assert output.num_classes == 7
    priors = head.num_base_priors
    priors = priors[0] if isinstance(priors, list) else priors
    per_prior = output.channels + output.joint_offset
    level = torch.rand(2, priors * per_prior, 3, 4)
    rows = output.rows(level)
    assert rows.shape == (2, 3 * 4 * priors, output.channels)
    # Image 1, row 2, column 1, prior 0, channel 5.
    value = level[1, output.joint_offset + 5, 2, 1]
    if output.kind == 'probabilities':
        value = torch.logit(value)
    assert rows[1, (2 * 4 + 1) * priors, 5] == value


def test_softmax_and_sigmoid_and_where_the_background_is():
    def declared(name, **changes):
        model = get_config(f'mmdet::{name}').model
        head = model.roi_head.bbox_head if 'roi_head' in model else model.bbox_head
        head = head[0] if isinstance(head, list) else head
        return class_output(MODELS.build({**head, **changes}))

    assert declared(FASTER) == ClassOutput('softmax', 80, background=True)
    assert declared(CASCADE) == ClassOutput('softmax', 80, background=True)
    assert declared(RETINA) == ClassOutput('sigmoid', 80, background=False)
    assert declared(SSD) == ClassOutput('softmax', 80, background=True)
    assert declared(RETINA, loss_cls=dict(type='CrossEntropyLoss')) == ClassOutput(
        'softmax', 80, background=True
    )
    assert declared(FASTER, loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True)) == (
        ClassOutput('sigmoid', 80, background=True)
    )
    assert declared(TOOD).kind == 'probabilities'
    assert declared(YOLOV3).joint_offset == 5


def test_a_head_that_declares_nothing_is_refused():
    head = MODELS.build(get_config('mmdet::vfnet/vfnet_r50_fpn_1x_coco.py').model.bbox_head)
    with pytest.raises(TypeError, match='VFNetHead.*declares no class output.*RetinaHead'):
        class_output(head)


def test_a_subclass_inherits_only_with_the_forward():
    class Renamed(RetinaHead):
        pass

    class Rewritten(RetinaHead):
        def forward_single(self, x):
            return x

    arguments = dict(num_classes=3, in_channels=8)
    assert class_output(Renamed(**arguments)).num_classes == 3
    with pytest.raises(TypeError, match='Rewritten'):
        class_output(Rewritten(**arguments))

    @declare_class_output(Rewritten)
    def _(head):
        return ClassOutput('sigmoid', head.num_classes, background=False)

    assert class_output(Rewritten(**arguments)).num_classes == 3


def test_channels_added_by_a_loss_are_refused():
    head = get_config(f'mmdet::{FASTER}').model.roi_head.bbox_head
    head.loss_cls = dict(type='SeesawLoss', num_classes=80)
    head.cls_predictor_cfg = dict(type='NormedLinear', tempearture=20)
    with pytest.raises(TypeError, match='SeesawLoss.*class channels of its own'):
        class_output(MODELS.build(head))


def test_a_map_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match='does not divide'):
        ClassOutput('sigmoid', 5, background=False).rows(torch.zeros(1, 12, 2, 2))


def test_probabilities_of_zero_and_one_stay_finite():
    output = ClassOutput('sigmoid', 2, background=False, kind='probabilities')
    rows = output.rows(torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1))
    assert rows.isfinite().all()
