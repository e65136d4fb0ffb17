from dataclasses import replace

import pytest
import torch
from mmdet.models.dense_heads import ATSSHead, RetinaHead
from mmdet.registry import MODELS
from mmengine.hub import get_config

from mmdet_kdrank.distillers import ClassOutput, declare_class_output
from mmdet_kdrank.heads import class_output
from mmdet_kdrank.heads.class_output import declared_heads
from tests.detectors import ATSS, FASTER, FCOS, GFL, RETINA

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
    level = torch.rand(2, priors * output.values, 3, 4)
    rows = output.rows(level)
    assert rows.shape == (2, 3 * 4 * priors, output.channels)
    # Image 1, row 2, column 1, prior 0, channel 5.
    value = level[1, output.joint_offset + 5, 2, 1]
    if output.kind == 'probabilities':
        value = torch.logit(value)
    assert rows[1, (2 * 4 + 1) * priors, 5] == value


def test_a_head_that_declares_nothing_is_refused():
    class Rewritten(ATSSHead):
        def forward_single(self, x, scale):
            return x

    with pytest.raises(TypeError, match='Rewritten.*declares no class output.*extend_family.md'):
        class_output(Rewritten(num_classes=3, in_channels=8))


@pytest.mark.parametrize('name', [RETINA, TOOD, SSD, FASTER])
def test_the_line_that_a_refusal_prints_declares_the_head(name):
    """With MMDetection's heads, whose declarations are known, as the oracle."""
    model = get_config(f'mmdet::{name}').model
    config = model.roi_head.bbox_head if 'roi_head' in model else model.bbox_head
    known = MODELS.get(config.type)

    class Rewritten(known):
        def forward(self, *args):
            return super().forward(*args)

    arguments = {key: value for key, value in config.items() if key != 'type'}
    head = Rewritten(**arguments)
    with pytest.raises(TypeError) as caught:
        class_output(head)
    message = str(caught.value)
    assert f'{__name__}.' in message, 'the module of a class that is not of MMDetection'
    assert 'RepPointsHead' not in message, 'no list of other heads'
    exec(message[message.index('from mmdet_kdrank') :], dict(Rewritten=Rewritten))
    declared = class_output(head)
    expected = class_output(known(**arguments))
    # Where a loss is divided is no attribute of a head.
    assert declared == replace(expected, normalised_later=False)


def test_an_activation_that_the_heads_prediction_does_not_take_is_refused():
    class Softened(RetinaHead):
        pass

    def declare(activation):
        declare_class_output(Softened)(
            lambda head: ClassOutput(activation, head.num_classes, background=False)
        )

    head = Softened(num_classes=3, in_channels=8)
    declare('softmax')
    with pytest.raises(ValueError, match="own prediction takes a sigmoid.*Declare activation='sig"):
        class_output(head)
    declare('sigmoid')
    assert class_output(head).activation == 'sigmoid'


def test_known_heads_are_listed_for_who_asks():
    heads = declared_heads()
    assert {'RetinaHead', 'ConvFCBBoxHead'} < set(heads)
    assert heads == sorted(heads)


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


def test_a_declaration_may_refuse():
    class Strange(RetinaHead):
        pass

    @declare_class_output(Strange)
    def _(head):
        raise TypeError('Strange cannot be distilled: it is strange.')

    with pytest.raises(TypeError, match='it is strange'):
        class_output(Strange(num_classes=3, in_channels=8))


def test_what_precedes_and_follows_the_classes_is_left_out():
    output = ClassOutput('softmax', 3, background=True, joint_offset=2, extra=1)
    values = torch.arange(14.0).reshape(2, 7)
    assert output.logits(values).tolist() == [[2, 3, 4, 5], [9, 10, 11, 12]]
    plain = ClassOutput('sigmoid', 7, background=False)
    assert plain.logits(values) is values
    with pytest.raises(ValueError, match='output of 6 values is not the declared 7'):
        output.logits(values[:, :6])


def test_probabilities_become_logits():
    output = ClassOutput('sigmoid', 2, background=False, kind='probabilities')
    logits = torch.tensor([[-3.0, 2.0]])
    torch.testing.assert_close(output.logits(logits.sigmoid()), logits)
    assert output.logits(torch.tensor([[0.0, 1.0]])).isfinite().all()


def test_a_map_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match='does not divide'):
        ClassOutput('sigmoid', 5, background=False).rows(torch.zeros(1, 12, 2, 2))


def test_probabilities_of_zero_and_one_stay_finite():
    output = ClassOutput('sigmoid', 2, background=False, kind='probabilities')
    rows = output.rows(torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1))
    assert rows.isfinite().all()
