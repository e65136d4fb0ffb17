import math

import cv2
import numpy as np
import pytest
import torch

from mmdet_kdrank.report.confusion import (
    confusion,
    confusion_summary,
    errors_among_similar,
    plot_confusion,
    row_shares,
    similarity,
)
from mmdet_kdrank.runs.box_logits import BoxLogits


@pytest.fixture
def boxes():
    """30 boxes of four classes; the student has a background channel, as the teacher."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 30, 5, generator=generator)
    labels = torch.arange(30) % 4
    return BoxLogits(list('abcd'), labels, {'one': student}, teacher, True, True)


def test_counts_are_those_of_a_loop(boxes):
    expected = torch.zeros(4, 4, dtype=torch.int64)
    for logits, label in zip(boxes.students['one'].tolist(), boxes.labels.tolist(), strict=True):
        expected[label, max(range(4), key=logits.__getitem__)] += 1
    counts = confusion(boxes.students['one'], boxes.labels, 4)
    assert torch.equal(counts, expected)
    torch.testing.assert_close(row_shares(counts).sum(1), torch.ones(4, dtype=torch.float64))
    assert row_shares(torch.zeros(2, 2, dtype=torch.int64)).eq(0).all()


def test_similarity_is_the_teachers_mean_probability(boxes):
    alike = similarity(boxes)
    mine = [t[:4].softmax(0) for t, y in zip(boxes.teacher, boxes.labels, strict=True) if y == 2]
    torch.testing.assert_close(alike[2], sum(mine) / len(mine))


def test_a_sigmoid_teachers_classes_need_not_sum_to_one(boxes):
    boxes = BoxLogits(
        boxes.classes, boxes.labels, boxes.students, boxes.teacher[:, :4], False, False
    )
    rows = boxes.teacher[boxes.labels == 1]
    torch.testing.assert_close(similarity(boxes)[1], rows.sigmoid().mean(0))
    torch.testing.assert_close(boxes.teacher_score(), boxes.teacher.sigmoid().amax(1))


def test_errors_on_the_nearest_classes():
    counts = torch.tensor([[9, 3, 1], [2, 9, 0], [0, 4, 9]])
    alike = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.9, 0.3], [0.2, 0.1, 0.9]])
    # Nearest: b of a, c of b, a of c; of ten errors three are on them.
    assert errors_among_similar(counts, alike, 1) == pytest.approx(3 / 10)
    assert errors_among_similar(counts, alike, 2) == 1
    assert math.isnan(errors_among_similar(torch.eye(3).long(), alike, 1))


def test_classes_without_a_box_do_not_disturb(boxes):
    kept = boxes.labels != 3
    boxes = BoxLogits(
        boxes.classes,
        boxes.labels[kept],
        {'one': boxes.students['one'][kept]},
        boxes.teacher[kept],
        True,
        True,
    )
    summary = confusion_summary(boxes)
    found = summary['students']['one']
    assert summary['similarity'][3] == [0, 0, 0, 0]
    assert found['right'] + found['errors'] / summary['boxes'] == pytest.approx(1)
    assert set(found['among_similar']) == {'1'} and summary['chance'] == {'1': pytest.approx(1 / 3)}
    background = boxes.students['one'].argmax(1) == 4
    assert found['background'] == pytest.approx(float(background.float().mean()))


def plot_input(number, **students):
    return {
        'classes': [f'class{i}' for i in range(number)],
        'similarity': np.eye(number).tolist(),
        'students': {name: {'right': 0.5, 'counts': counts} for name, counts in students.items()},
    }


def drawn(tmp_path, found):
    path = tmp_path / 'confusion.png'
    plot_confusion(found, path)
    return cv2.imread(str(path))


def matrices(figure):
    """What the panels show, by title; what is left out is NaN."""
    panels = [axes for axes in figure.axes if axes.get_images()]
    return {axes.get_title(): axes.get_images()[0].get_array().filled(np.nan) for axes in panels}


@pytest.mark.parametrize('number', [1, 3, 60])
def test_any_number_of_classes_is_drawn(tmp_path, saved, number):
    found = plot_input(number, one=np.ones((number, number), int).tolist())
    assert drawn(tmp_path, found) is not None
    itself = np.eye(number, dtype=bool)
    teacher, one = matrices(saved[0]).values()
    np.testing.assert_array_equal(teacher, np.where(itself, np.nan, 0))
    np.testing.assert_array_equal(one, np.where(itself, np.nan, 1 / number))
    named = [label.get_text() for label in saved[0].axes[0].get_xticklabels()]
    assert named == (found['classes'] if number <= 40 else [])


def test_colours_are_the_shares_of_what_is_wrong(tmp_path, saved):
    counts = [[5, 2, 1], [1, 6, 3], [2, 2, 4]]
    alike = [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.0, 0.5, 0.5]]
    drawn(tmp_path, {**plot_input(3, one=counts), 'similarity': alike})
    nan = np.nan
    shown = matrices(saved[0])
    np.testing.assert_array_equal(
        shown["teacher's mean score"], [[nan, 0.2, 0.1], [0.3, nan, 0.1], [0.0, 0.5, nan]]
    )
    np.testing.assert_array_equal(
        shown['one: 50.0 % right'],
        [[nan, 2 / 8, 1 / 8], [1 / 10, nan, 3 / 10], [2 / 8, 2 / 8, nan]],
    )


def test_every_student_has_a_panel(tmp_path):
    counts = np.ones((3, 3), int).tolist()
    one = drawn(tmp_path, plot_input(3, one=counts))
    two = drawn(tmp_path, plot_input(3, one=counts, two=counts))
    assert two.shape[1] > 1.3 * one.shape[1]
