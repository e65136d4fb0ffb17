import cv2
import numpy as np
import pytest

from mmdet_kdrank.report.heatmaps import plot_confusion


def summary(number, **students):
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
    found = summary(number, one=np.ones((number, number), int).tolist())
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
    drawn(tmp_path, {**summary(3, one=counts), 'similarity': alike})
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
    one = drawn(tmp_path, summary(3, one=counts))
    two = drawn(tmp_path, summary(3, one=counts, two=counts))
    assert two.shape[1] > 1.3 * one.shape[1]
