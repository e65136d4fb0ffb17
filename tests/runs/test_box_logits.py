from dataclasses import replace

import pytest
import torch

from mmdet_kdrank.runs.box_logits import box_logits
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.validation import Validation
from tests.detectors import FASTER, RETINA


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
