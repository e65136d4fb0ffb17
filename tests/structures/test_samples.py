import pytest
import torch

from mmdet_kdrank.distillers import DistillSamples


def samples(**changes):
    generator = torch.Generator().manual_seed(0)
    fields = dict(
        student=torch.randn(6, 4, generator=generator, requires_grad=True),
        teacher=torch.randn(6, 4, generator=generator),
        image=torch.tensor([0, 0, 1, 0, 1, 1]),
        activation='softmax',
        background=True,
        num_classes=3,
        labels=torch.tensor([0, 3, 2, -1, 3, 1]),
        weights=torch.tensor([1.0, 1, 1, 0, 1, 1]),
        avg_factor=5.0,
    )
    return DistillSamples(**{**fields, **changes})


def test_positive_rows_are_neither_background_nor_ignored():
    assert samples().positive().tolist() == [True, False, True, False, False, True]


def test_positive_without_labels_names_selectors_that_need_none():
    with pytest.raises(ValueError, match='TopkSamples'):
        samples(labels=None).positive()


@pytest.mark.parametrize(
    ('activation', 'background', 'expected'),
    [
        ('softmax', True, lambda t: t.softmax(1)[:, :3].amax(1)),
        ('softmax', False, lambda t: t.softmax(1).amax(1)),
        ('sigmoid', False, lambda t: t.sigmoid().amax(1)),
        ('sigmoid', True, lambda t: t.sigmoid()[:, :3].amax(1)),
    ],
)
def test_teacher_score_is_the_best_foreground_probability(activation, background, expected):
    rows = samples(activation=activation, background=background)
    torch.testing.assert_close(rows.teacher_score(), expected(rows.teacher))


def test_take_keeps_rows_together_and_counts_them():
    rows = samples(boxes=torch.rand(6, 4), level=torch.arange(6))
    taken = rows.take(torch.tensor([4, 0]))
    assert len(taken) == 2
    assert torch.equal(taken.boxes, rows.boxes[[4, 0]])
    assert torch.equal(taken.student, rows.student[[4, 0]])
    assert taken.labels.tolist() == [3, 0]
    assert taken.level.tolist() == [4, 0]
    assert taken.weights.tolist() == [1, 1]
    assert taken.avg_factor == 2


def test_take_nothing_has_a_graph_and_counts_nothing():
    taken = samples().take(torch.tensor([], dtype=torch.long))
    assert taken.avg_factor == 0
    assert taken.student.sum().requires_grad
