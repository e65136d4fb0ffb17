"""Arguments of another detector, through the advice that follows them."""

from __future__ import annotations

import re

import pytest
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hub import get_config

import mmdet_kdrank.distillers  # noqa: F401  (registers the distillers)
from tests.detectors import CASCADE, FASTER, MASK, RETINA, small_config

DISTILLED = dict(
    teacher=dict(config='absent.py', checkpoint='absent.pth'),
    distill_losses=dict(loss_rank=dict(type='KendallRankLoss')),
)


def refusal(model, distiller='DistillSingleStageDetector', **options):
    with pytest.raises((TypeError, ValueError)) as caught:
        built(model, distiller, **options)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def built(model, distiller, **options):
    return MODELS.build(ConfigDict({**model, 'type': distiller, **DISTILLED, **options}))


@pytest.mark.parametrize('name', ['distil_losses', 'Distill_Losses', 'distill_loss', 'selectors'])
def test_a_misspelt_option_is_named_with_what_was_meant(name):
    model = small_config(RETINA)
    value = dict(loss_kd=dict(type='KendallRankLoss'))
    message = refusal(model, **{name: value})
    meant = re.search(r'takes no argument (\S+)\. Did you mean (\w+)\?', message)
    assert meant[1] == name
    assert meant[2] in ('distill_losses', 'selector')


def test_a_misspelt_teacher_is_named_before_the_missing_one():
    model = ConfigDict(small_config(RETINA), type='DistillSingleStageDetector', techer={})
    with pytest.raises(TypeError, match='no argument techer. Did you mean teacher?'):
        MODELS.build(model)


@pytest.mark.parametrize(
    ('name', 'wrong'),
    [
        (RETINA, 'DistillTwoStageDetector'),
        (FASTER, 'DistillSingleStageDetector'),
        (CASCADE, 'DistillSingleStageDetector'),
        (MASK, 'DistillSingleStageInstanceSegmentor'),
    ],
)
def test_the_distiller_of_the_other_family_names_the_right_one(name, wrong):
    model = small_config(name)
    message = refusal(model, wrong)
    advised = re.search(r"use type='(\w+)'", message)[1]
    assert 'student_type' not in message
    assert built(model, advised).distill_losses


@pytest.mark.parametrize('wrong', ['DistillTwoStageDetector', 'DistillSingleStageDetector'])
def test_a_dense_config_with_masks_names_the_segmentor(wrong):
    model = get_config('mmdet::yolact/yolact_r50_1xb8-55e_coco.py').model
    model.backbone.init_cfg = None
    advised = re.search(r"use type='(\w+)'", refusal(model, wrong))[1]
    assert advised == 'DistillSingleStageInstanceSegmentor'
    assert built(model, advised).distill_losses


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('deformable_detr/deformable-detr_r50_16xb2-50e_coco.py', 'its queries are learned'),
        ('dino/dino-4scale_r50_8xb2-12e_coco.py', 'its queries are learned'),
        ('mask2former/mask2former_r50_8xb2-lsj-50e_coco.py', 'mask queries are learned'),
        ('glip/glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py', 'words of a prompt'),
        ('lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py', 'a distilling detector already'),
        (
            'soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py',
            'a teacher of its own',
        ),
    ],
)
def test_a_detector_that_cannot_be_distilled_gets_its_reason_at_once(name, reason):
    model = get_config(f'mmdet::{name}').model
    for distiller in ('DistillSingleStageDetector', 'DistillTwoStageDetector'):
        message = refusal(model, distiller)
        assert reason in message
        assert 'student_type' not in message


def test_lists_of_heads_are_refused():
    """The arguments of CO-DETR, whose auxiliary heads are lists."""
    model = small_config(FASTER)
    heads = dict(roi_head=[model.roi_head], bbox_head=[small_config(RETINA).bbox_head])
    assert 'roi_head is a list of 1 heads' in refusal({**model, **heads}, 'DistillTwoStageDetector')
    assert 'its queries are learned' in refusal(
        {**model, **heads, 'query_head': dict(type='CoDINOHead')}, 'DistillTwoStageDetector'
    )


def test_a_class_that_was_named_is_not_advised_again():
    message = refusal(small_config(RETINA), student_type='RetinaNet', bbox_heads={})
    assert message.endswith('RetinaNet takes no argument bbox_heads. Did you mean bbox_head?')
    message = refusal(small_config(RETINA), student_type='RetinaNet', depth=3)
    assert message.endswith('Leave it out.')


def test_an_unknown_student_is_named_with_what_was_meant():
    with pytest.raises(KeyError, match='Did you mean RetinaNet?'):
        built(small_config(RETINA), 'DistillSingleStageDetector', student_type='RetinNet')
