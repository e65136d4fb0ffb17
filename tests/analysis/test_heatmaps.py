import cv2
import numpy as np
import pytest

from mmdet_kdrank.analysis.heatmaps import plot_confusion


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


@pytest.mark.parametrize('number', [1, 3, 60])
def test_any_number_of_classes_is_drawn(tmp_path, number):
    assert drawn(tmp_path, summary(number, one=np.eye(number, dtype=int).tolist())).std() > 0


def test_colours_are_the_shares_of_what_is_wrong(tmp_path):
    counts = np.array([[5, 2, 1], [1, 6, 1], [2, 2, 4]])
    first = drawn(tmp_path, summary(3, one=counts.tolist()))
    assert np.array_equal(first, drawn(tmp_path, summary(3, one=(2 * counts).tolist())))
    other = drawn(tmp_path, summary(3, one=counts[:, [0, 2, 1]].tolist()))
    assert not np.array_equal(first, other)


def test_every_student_has_a_panel(tmp_path):
    counts = np.ones((3, 3), int).tolist()
    one = drawn(tmp_path, summary(3, one=counts))
    two = drawn(tmp_path, summary(3, one=counts, two=counts))
    assert two.shape[1] > 1.3 * one.shape[1]
