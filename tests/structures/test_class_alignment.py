import pytest
import torch

from mmdet_kdrank.structures.class_alignment import align_classes

STUDENT = torch.arange(4.0).expand(2, 4)  # 3 classes and background
TEACHER = 10 + torch.arange(6.0).expand(2, 6)  # 5 classes and background
NAMES = ('ant', 'bee', 'cat', 'dog', 'eel')


def test_same_names_select_nothing():
    alignment = align_classes(NAMES, NAMES, 5, 5)
    student, teacher = alignment.select(TEACHER, TEACHER, background=True)
    assert student is TEACHER
    assert teacher is TEACHER


def test_unknown_names_go_by_count():
    alignment = align_classes(None, NAMES, 5, 5)
    assert alignment.student == alignment.teacher == [0, 1, 2, 3, 4]


def test_order_and_subset_are_matched_by_name():
    alignment = align_classes(('dog', 'ant', 'cat'), NAMES, 3, 5)
    student, teacher = alignment.select(STUDENT, TEACHER, background=True)
    assert student is STUDENT
    assert teacher[0].tolist() == [13, 10, 12, 15]


def test_without_background():
    alignment = align_classes(('dog', 'ant', 'cat'), NAMES, 3, 5)
    student, teacher = alignment.select(STUDENT, TEACHER, background=False)
    assert student[0].tolist() == [0, 1, 2]
    assert teacher[0].tolist() == [13, 10, 12]


def test_classes_that_only_the_student_has_are_left_out_and_logged(monkeypatch):
    logged = []
    monkeypatch.setattr(
        'mmdet_kdrank.structures.class_alignment.print_log', lambda text, **_: logged.append(text)
    )
    alignment = align_classes(('dog', 'yak', 'cat'), NAMES, 3, 5)
    student, teacher = alignment.select(STUDENT, TEACHER, background=True)
    assert student[0].tolist() == [0, 2, 3]
    assert teacher[0].tolist() == [13, 12, 15]
    assert logged == ["The teacher knows 2 of the student's 3 classes; not distilled: yak."]


def test_names_that_are_spelt_otherwise_are_asked_about(monkeypatch):
    logged = []
    monkeypatch.setattr(
        'mmdet_kdrank.structures.class_alignment.print_log', lambda text, **_: logged.append(text)
    )
    align_classes(('aeroplane', 'dog'), ('airplane', 'dog'), 2, 2)
    assert logged[0].endswith('not distilled: aeroplane. aeroplane: Did you mean airplane?')
    with pytest.raises(ValueError, match='metainfo. Dog: Did you mean dog?'):
        align_classes(('Dog', 'Yak'), NAMES, 2, 5)


def test_labels_become_columns_of_the_common_classes():
    alignment = align_classes(('dog', 'yak', 'cat'), NAMES, 3, 5)
    labels = torch.tensor([0, 1, 2, 3, -1])
    assert alignment.column_of(labels).tolist() == [0, -1, 1, 2, -1]


@pytest.mark.parametrize(
    ('student', 'teacher', 'counts', 'message'),
    [
        (('yak',), NAMES, (1, 5), 'no class name in common.*yak.*ant, bee'),
        (
            None,
            NAMES,
            (3, 5),
            "student has 3 classes, the teacher 5, and the student's class names",
        ),
        (NAMES, None, (5, 3), "teacher's class names are unknown"),
        (NAMES, NAMES, (4, 5), 'student has 5 class names .* a head of 4 classes'),
        (NAMES, NAMES[:2], (5, 5), 'teacher has 2 class names .* a head of 5 classes'),
    ],
)
def test_refused(student, teacher, counts, message):
    with pytest.raises(ValueError, match=message):
        align_classes(student, teacher, *counts)
