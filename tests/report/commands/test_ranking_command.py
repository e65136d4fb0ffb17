import numpy as np
import pytest
import torch

from mmdet_kdrank.diagnostics.ranking import ranking
from mmdet_kdrank.report.commands.ranking_command import plot_rankings

EDGES = (0.25, 0.5)


def found(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, 40, classes + 1, generator=generator)
    # The last class has no box.
    labels = torch.randint(0, classes - 1, (40,), generator=generator)
    score = torch.rand(40, generator=generator)
    return ranking(student, teacher, score, labels, classes, edges=EDGES, topk=(1, 3))


def names(classes):
    return [f'class{i}' for i in range(classes)]


def heights(axes):
    """Of the bars, by student."""
    return {bars.get_label(): [bar.get_height() for bar in bars] for bars in axes.containers}


@pytest.mark.parametrize('classes', [4, 50])
def test_classes_are_in_the_first_ones_order_and_those_without_a_box_last(tmp_path, saved, classes):
    rankings = {'one': found(0, classes), 'two': found(1, classes)}
    plot_rankings(rankings, names(classes), EDGES, tmp_path / 'ranking.png')
    classwise = saved[0].axes[0]
    taus = {name: [mean.value for mean in each.by_class] for name, each in rankings.items()}
    order = np.argsort(taus['one'])
    lines = {line.get_label(): line.get_ydata() for line in classwise.get_lines()}
    assert lines.keys() == taus.keys()
    for name, line in lines.items():
        np.testing.assert_array_equal(line, np.array(taus[name])[order])
    assert np.isnan(lines['one'][-1]) and not np.isnan(lines['one'][0])
    named = [label.get_text() for label in classwise.get_xticklabels()]
    assert named == ([f'class{i}' for i in order] if classes == 4 else [])


def test_bars_are_the_means_by_score_and_the_shared_best(tmp_path, saved):
    rankings = {'one': found(0, 4), 'two': found(1, 4)}
    plot_rankings(rankings, names(4), EDGES, tmp_path / 'ranking.png')
    _, confidence, top = saved[0].axes
    assert heights(confidence) == {
        name: [mean.value for mean in each.by_score] for name, each in rankings.items()
    }
    assert heights(top) == {name: list(each.topk.values()) for name, each in rankings.items()}
    left, right = (bars[0].get_x() for bars in top.containers)
    assert left < right
