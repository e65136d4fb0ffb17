import cv2
import numpy as np
import pytest
import torch

from mmdet_kdrank.analysis.ranking import ranking
from mmdet_kdrank.analysis.ranking_plot import plot_rankings

EDGES = (0.25, 0.5)


def found(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, 40, classes + 1, generator=generator)
    # The last class has no box.
    labels = torch.randint(0, classes - 1, (40,), generator=generator)
    score = torch.rand(40, generator=generator)
    return ranking(student, teacher, score, labels, classes, edges=EDGES, topk=(1, 3))


def drawn(tmp_path, rankings, classes):
    path = tmp_path / 'ranking.png'
    plot_rankings(rankings, [f'class{i}' for i in range(classes)], EDGES, path)
    return cv2.imread(str(path))


@pytest.mark.parametrize('classes', [4, 50])
def test_classes_without_a_box_and_many_classes_are_drawn(tmp_path, classes):
    assert drawn(tmp_path, {'one': found(0, classes)}, classes).std() > 0


def test_a_second_student_is_drawn_beside_the_first(tmp_path):
    one, two = found(0, 4), found(1, 4)
    alone = drawn(tmp_path, {'one': one}, 4)
    assert not np.array_equal(alone, drawn(tmp_path, {'one': one, 'two': two}, 4))
    assert np.array_equal(alone, drawn(tmp_path, {'one': one}, 4))
