import pytest
import torch

from experiments.demo.class_agreement import class_agreement
from mmdet_kdrank.compare.teacher_agreement import TeacherAgreement
from mmdet_kdrank.teachers.teacher import Teacher
from tests.compare.fabricated import open_coco
from tests.detectors import ATSS, FASTER, NUM_CLASSES, RETINA, build, raw_batch, small_config
from tests.distillers.query_detectors import DETR, SPARSE, query_config

CLASSES = tuple('abcde')


def detector(name, seed):
    model = build(small_config(name), seed).eval()
    for key, value in model.named_parameters():
        if 'cls' in key and 'rpn' not in key:
            torch.nn.init.normal_(value)
    return model


def annotated(batch, factor=1.0):
    """COCO annotations of a batch whose images were scaled by a factor."""
    images, entries = [], []
    for number, sample in enumerate(batch['data_samples'], start=1):
        sample.set_metainfo(dict(img_id=number, scale_factor=(factor, factor)))
        images.append(dict(id=number))
        truth = sample.gt_instances
        for box, label in zip(truth.bboxes / factor, truth.labels, strict=True):
            x, y, right, bottom = box.tolist()
            entries.append(
                dict(
                    id=len(entries) + 1,
                    image_id=number,
                    category_id=int(label) + 1,
                    bbox=[x, y, right - x, bottom - y],
                    area=1.0,
                    iscrowd=0,
                )
            )
    categories = [dict(id=index + 1, name=name) for index, name in enumerate(CLASSES)]
    return open_coco(dict(images=images, annotations=entries, categories=categories))


def compared(student, teacher, batch, factor=1.0, names=CLASSES):
    coco = annotated(batch, factor)
    reference = TeacherAgreement(
        Teacher(teacher, names, 't.pth'), student, CLASSES, coco, torch.device('cpu')
    )
    reference.add(batch)
    return reference.result()


@pytest.mark.parametrize('factor', [1.0, 2.0])
@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_agreement_is_on_the_annotated_boxes_in_the_networks_input(name, factor):
    student, teacher, batch = detector(name, 0), detector(name, 1), raw_batch()
    found = compared(student, teacher, batch, factor)
    expected = class_agreement(student, teacher, [raw_batch()])
    for key in ('tau', 'top1', 'boxes'):
        assert found[key] == pytest.approx(expected[key], abs=1e-6)
    assert found['rows']['box_image_id'].tolist() == [1, 1, 1, 2, 2, 2]
    assert found['rows']['box_tau'].mean() == pytest.approx(found['tau'])


def test_crowds_are_no_boxes():
    model, batch = detector(RETINA, 0), raw_batch()
    coco = annotated(batch)
    coco.anns[1]['iscrowd'] = 1
    reference = TeacherAgreement(
        Teacher(model, CLASSES, ''), model, CLASSES, coco, torch.device('cpu')
    )
    reference.add(batch)
    assert reference.result()['boxes'] == 5


def test_classes_are_matched_by_name():
    student, batch = detector(RETINA, 0), raw_batch()
    teacher = detector(RETINA, 0)
    head, anchors = teacher.bbox_head.retina_cls, 9
    weight = head.weight.data.unflatten(0, (anchors, NUM_CLASSES))
    bias = head.bias.data.unflatten(0, (anchors, NUM_CLASSES))
    head.weight.data = weight.flip(1).flatten(0, 1)
    head.bias.data = bias.flip(1).flatten(0, 1)
    found = compared(student, teacher, batch, names=CLASSES[::-1])
    assert (found['tau'], found['top1']) == (pytest.approx(1.0), 1.0)


def test_heads_that_do_not_correspond_have_a_reason_and_no_agreement():
    found = compared(detector(RETINA, 0), detector(ATSS, 0), raw_batch())
    assert set(found) == {'reason'}
    assert 'place different priors' in found['reason']


@pytest.mark.parametrize('names', [(FASTER, RETINA), (RETINA, FASTER)])
def test_a_teacher_of_another_kind_has_a_reason_and_no_agreement(names):
    found = compared(*(detector(name, 0) for name in names), raw_batch())
    assert set(found) == {'reason'}
    assert 'classify different boxes' in found['reason']


@pytest.mark.parametrize('name', [DETR, SPARSE])
def test_query_based_detectors_agree_with_themselves(name):
    student, teacher = (build(query_config(name), seed).train().eval() for seed in (0, 0))
    found = compared(student, teacher, raw_batch())
    assert found['tau'] == pytest.approx(1, abs=0.02) and found['top1'] == 1
    assert found['boxes'] == 6


def test_a_query_based_detector_and_another_kind_are_not_compared():
    student = build(query_config(SPARSE)).eval()
    assert (
        'a query-based detector and a two-stage teacher'
        in (compared(student, detector(FASTER, 1), raw_batch())['reason'])
    )
