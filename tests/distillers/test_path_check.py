"""Detectors that do more between their features and their head than what is distilled."""

from __future__ import annotations

import pytest
import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.models.detectors import FasterRCNN, RetinaNet
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import MODELS

from mmdet_kdrank.distillers import declare_class_output  # noqa: F401  (registers the distillers)
from tests.detectors import (
    CASCADE,
    FASTER,
    RETINA,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
    training_losses,
)


def gated(levels):
    """Halve the finest level, in a copy."""
    return (levels[0] * 0.5, *levels[1:])


@MODELS.register_module(force=True)
class GatedRetinaNet(RetinaNet):
    """Gates a level of its neck, when it trains and when it predicts."""

    def loss(self, batch_inputs, batch_data_samples):
        features = gated(self.extract_feat(batch_inputs))
        return self.bbox_head.loss(features, batch_data_samples)

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        features = gated(self.extract_feat(batch_inputs))
        return self.bbox_head.predict(features, batch_data_samples, rescale=rescale)


@MODELS.register_module(force=True)
class TestGatedRetinaNet(RetinaNet):
    """Gates a level when it predicts, and changes it in place."""

    __test__ = False

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        features = self.extract_feat(batch_inputs)
        features[0].mul_(0.5)
        return self.bbox_head.predict(features, batch_data_samples, rescale=rescale)


@MODELS.register_module(force=True)
class InPlaceRetinaNet(RetinaNet):
    """Gates a level in place when it trains."""

    def loss(self, batch_inputs, batch_data_samples):
        features = self.extract_feat(batch_inputs)
        features[0].data.mul_(0.5)
        return self.bbox_head.loss(features, batch_data_samples)


@MODELS.register_module(force=True)
class BrighterRetinaNet(RetinaNet):
    """Changes the images when it predicts."""

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        return super().predict(batch_inputs + 1, batch_data_samples, rescale)


@MODELS.register_module(force=True)
class NeckGatedRetinaNet(RetinaNet):
    """What the error advises: the step is part of ``extract_feat``."""

    def extract_feat(self, batch_inputs):
        return gated(super().extract_feat(batch_inputs))


@MODELS.register_module(force=True)
class GatedHead(RetinaHead):
    """Gates a level when it predicts."""

    def predict(self, x, batch_data_samples, rescale=False):
        return super().predict(gated(x), batch_data_samples, rescale)


@MODELS.register_module(force=True)
class GatedRCNN(FasterRCNN):
    """Gates a level between RPN and RoI head."""

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        features = self.extract_feat(batch_inputs)
        proposals = self.rpn_head.predict(features, batch_data_samples, rescale=False)
        self.roi_head.predict(gated(features), proposals, batch_data_samples, rescale=rescale)


@MODELS.register_module(force=True)
class OtherCallRoIHead(StandardRoIHead):
    """Classifies in ``predict`` without ``_bbox_forward``."""

    def predict(self, x, rpn_results_list, batch_data_samples, rescale=False):
        return []


@pytest.fixture
def make(tmp_path):
    """A function that builds a distiller of a student class and a teacher with a change."""

    def make(name=RETINA, student=None, teacher=None, change=lambda config: None, **options):
        config = small_config(name, width=8)
        checkpoint = save_teacher(config, tmp_path / 'teacher.pth')
        change(config)
        if teacher:
            config.type = teacher
        if student:
            options['student_type'] = student
        return build(distiller_config(small_config(name), config, checkpoint, **options))

    return make


def gated_head(config):
    config.bbox_head.type = 'GatedHead'


def other_call(config):
    config.roi_head.type = 'OtherCallRoIHead'


CASES = {
    'a teacher that gates in predict': (
        dict(teacher='TestGatedRetinaNet'),
        r'The teacher: tests\.\S*TestGatedRetinaNet.predict does more than extract_feat',
    ),
    'a teacher that gates in both': (
        dict(teacher='GatedRetinaNet'),
        r'The teacher: tests\.\S*GatedRetinaNet.predict does more.* differ from those .*%',
    ),
    'a student that gates in both': (
        dict(student='GatedRetinaNet'),
        r'The student: tests\.\S*GatedRetinaNet.loss gives the head other features',
    ),
    'a student that gates in place': (
        dict(student='InPlaceRetinaNet'),
        r'The student: tests\.\S*InPlaceRetinaNet.loss gives',
    ),
    'a teacher that changes images': (
        dict(teacher='BrighterRetinaNet'),
        r'The teacher: tests\.\S*BrighterRetinaNet.predict does more',
    ),
    "a teacher's head that gates": (
        dict(change=gated_head),
        r'The teacher: tests\.\S*GatedHead.predict does more',
    ),
    'a two-stage teacher that gates': (
        dict(name=FASTER, teacher='GatedRCNN'),
        r'The teacher: tests\.\S*GatedRCNN.predict does more',
    ),
    'a RoI head that classifies elsewhere': (
        dict(name=FASTER, change=other_call),
        r'OtherCallRoIHead.predict does not call roi_head._bbox_forward',
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_what_is_never_used_is_not_distilled(make, case):
    arguments, message = CASES[case]
    with pytest.raises(ValueError, match=message) as caught:
        training_losses(make(**arguments))
    assert 'path_check=False leaves this comparison out' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_both_pieces_of_advice_work(make):
    gated = make(student='NeckGatedRetinaNet', teacher='NeckGatedRetinaNet')
    assert training_losses(gated)['distill_top1'] >= 0
    unchecked = make(student='GatedRetinaNet', teacher='GatedRetinaNet', path_check=False)
    assert training_losses(unchecked)['distill_top1'] >= 0


@pytest.mark.parametrize('name', [FASTER, CASCADE, RETINA])
def test_the_check_changes_no_value_and_no_random_state(make, name):
    results = []
    for checked in (True, False):
        model = make(name, path_check=checked)
        data = model.data_preprocessor(raw_batch(), training=True)
        torch.manual_seed(3)
        losses = model(**data, mode='loss')
        results.append((losses, torch.get_rng_state(), model.state_dict()))
    (checked, state, weights), (unchecked, plain_state, plain_weights) = results
    assert torch.equal(state, plain_state)
    assert all(torch.equal(value, plain_weights[key]) for key, value in weights.items())
    assert checked.keys() == unchecked.keys()
    for key, value in unchecked.items():
        for a, b in zip(_listed(checked[key]), _listed(value), strict=True):
            assert torch.equal(a, b), key


def _listed(value):
    return value if isinstance(value, list) else [value]


def test_the_teachers_predict_runs_once_and_its_backbone_no_further_time(make):
    model = make()
    teacher = model.teacher_session.model
    calls = dict.fromkeys(('backbone', 'predict'), 0)
    teacher.backbone.register_forward_hook(lambda *_: calls.update(backbone=calls['backbone'] + 1))
    predict = teacher.predict

    def counted(*args, **options):
        calls['predict'] += 1
        return predict(*args, **options)

    teacher.predict = counted
    for step in range(3):
        training_losses(model, seed=step)
    assert calls == dict(backbone=3, predict=1)


def test_a_batch_without_rois_has_nothing_to_compare(make):
    model = make(FASTER, path_check=True)
    model.roi_head.bbox_sampler.num = 0
    model.train_cfg.rpn_proposal.max_per_img = 0
    assert training_losses(model, boxes=0)['loss_kd'] == 0
