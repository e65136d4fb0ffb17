from dataclasses import replace

import pytest
import torch

from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.heads.queries import run_queries
from mmdet_kdrank.runs.box_logits import box_logits, class_logits, class_output_of
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.validation import Validation
from tests.detectors import ATSS, FASTER, FCOS, RETINA, build, raw_batch, small_config
from tests.distillers.query_detectors import DETR, SPARSE, query_config


@pytest.fixture(params=[FASTER, RETINA])
def run(request, trained_run):
    return FinishedRun(trained_run(request.param, taught=True))


def test_every_annotated_box_has_a_row_of_each_detector(run):
    validation = Validation(run.config)
    student, teacher = run.load('cpu'), run.teacher.load()
    boxes = box_logits({'a': student, 'b': teacher}, teacher, validation)
    labels = torch.cat([picture.truth.labels for picture in validation])
    assert torch.equal(boxes.labels, labels)
    columns = len(validation.classes) + boxes.background
    assert boxes.students['a'].shape == (len(labels), columns)
    assert torch.equal(boxes.students['b'], boxes.teacher)
    assert not torch.equal(boxes.students['a'], boxes.teacher)
    assert boxes.softmax == boxes.background == hasattr(student.model, 'roi_head')


def test_classes_are_matched_by_name_and_those_the_teacher_lacks_left_out(run):
    validation = Validation(run.config)
    student, teacher = run.load('cpu'), run.teacher.load()
    plain = box_logits({'a': student}, teacher, validation)
    # Its columns the other way round, and one of them of a class that nobody has.
    lacking = int(plain.labels[0])
    known = [index for index in range(27) if index != lacking]
    names = ['stranger' if i == lacking else name for i, name in enumerate(validation.classes)]
    boxes = box_logits({'a': student}, replace(teacher, classes=tuple(names[::-1])), validation)
    assert boxes.classes == [validation.classes[index] for index in known]
    rows = plain.labels != lacking
    assert 0 < rows.sum() < len(rows)
    assert [known[label] for label in boxes.labels] == plain.labels[rows].tolist()
    columns = [*known, 27] if boxes.background else known
    assert torch.equal(boxes.students['a'], plain.students['a'][rows][:, columns])
    theirs = plain.teacher[rows][:, [26 - index for index in known]]
    assert torch.equal(boxes.teacher[:, :26], theirs)


def test_runs_on_other_classes_are_refused(run):
    student = run.load('cpu')
    stranger = replace(student, classes=tuple(reversed(student.classes)))
    with pytest.raises(ValueError, match='b knows other classes'):
        box_logits({'a': student, 'b': stranger}, student, Validation(run.config))


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


@pytest.mark.parametrize('name', [DETR, SPARSE])
def test_query_based_detector_answers_at_the_query_that_is_matched(name):
    model, batch = build(query_config(name)).train().eval(), raw_batch()
    boxes = [sample.gt_instances.bboxes for sample in batch['data_samples']]
    found = class_logits(model, batch, boxes).split(3)
    data = model.data_preprocessor(batch, training=False)
    with torch.no_grad():
        features = model.extract_feat(data['inputs'])
        queries = run_queries(model, features, data['data_samples'])[-1]
    for logits, all_logits in zip(found, queries.logits, strict=True):
        chosen = (logits[:, None] == all_logits).all(2).int().argmax(1)
        assert torch.equal(all_logits[chosen], logits) and len(set(chosen.tolist())) == 3


def test_detector_without_a_box_head_is_refused():
    with pytest.raises(ArgumentTypeError, match='Identity has no bbox_head'):
        class_output_of(torch.nn.Identity())
