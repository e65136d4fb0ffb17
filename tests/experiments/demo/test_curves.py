import cv2
import pytest

from experiments.demo.curves import plot_curves
from mmdet_kdrank.runs.scalars import MEAN_AP

ALONE = [{'step': 10, 'loss': 1.0}, {'step': 10, MEAN_AP: 0.2}]
RANK = [*ALONE, {'step': 10, 'loss_rank': 0.4, 'distill_tau': 0.5}]


@pytest.mark.parametrize(
    'trainings, panels', [({'a': ALONE}, 1), ({'a': ALONE, 'b': RANK}, 3), ({'a': []}, 1)]
)
def test_a_panel_for_everything_that_was_logged(tmp_path, trainings, panels):
    plot_curves(trainings, tmp_path / 'curves.png')
    height, width = cv2.imread(str(tmp_path / 'curves.png')).shape[:2]
    assert round(width / height / 1.37) == panels
