import pytest
import torch
from mmdet.registry import TASK_UTILS

from tests.structures.test_samples import samples


def select(config, **changes):
    rows = samples(**changes)
    return rows, TASK_UTILS.build(config)(rows)


def test_all_samples_weigh_as_the_students_own_loss():
    rows, chosen = select(dict(type='AllSamples'))
    assert torch.equal(chosen.weights, rows.weights)
    assert chosen.avg_factor == 5


def test_all_samples_count_what_the_student_counts():
    assert select(dict(type='AllSamples'), avg_factor=torch.tensor(0.0))[1].avg_factor == 0
    # Where its loss is told nothing: the positives.
    assert select(dict(type='AllSamples'), avg_factor=None)[1].avg_factor == 3


def test_all_samples_need_the_students_weights():
    with pytest.raises(ValueError, match='AllSamples weighs rows.*TopkSamples'):
        select(dict(type='AllSamples'), weights=None)


def test_positive_samples():
    rows, chosen = select(dict(type='PositiveSamples'))
    assert chosen.labels.tolist() == [0, 2, 1]
    assert chosen.avg_factor == 3
    assert select(dict(type='PositiveSamples'), labels=torch.full((6,), 3))[1].avg_factor == 0


def test_topk_samples_choose_in_each_image():
    rows, chosen = select(dict(type='TopkSamples', k=2))
    assert chosen.image.tolist().count(0) == chosen.image.tolist().count(1) == 2
    score = rows.teacher_score()
    for image in (0, 1):
        best = score[rows.image == image].topk(2).values.sort().values
        assert torch.equal(chosen.teacher_score()[chosen.image == image].sort().values, best)
    assert chosen.avg_factor == 4


def test_topk_samples_take_all_there_are():
    assert len(select(dict(type='TopkSamples'))[1]) == 6


def test_topk_of_no_rows():
    nothing = torch.zeros(0, dtype=torch.long)
    _, chosen = select(
        dict(type='TopkSamples'),
        student=torch.zeros(0, 4, requires_grad=True),
        teacher=torch.zeros(0, 4),
        image=nothing,
        labels=nothing,
    )
    assert len(chosen) == 0
    assert chosen.avg_factor == 0
    assert chosen.student.requires_grad


def test_topk_refuses_no_rows():
    with pytest.raises(ValueError, match='k=.* must be a whole number of at least 1'):
        TASK_UTILS.build(dict(type='TopkSamples', k=0))


def test_score_weighted_samples():
    rows, chosen = select(dict(type='ScoreWeightedSamples'))
    assert torch.equal(chosen.weights, rows.teacher_score())
    assert chosen.avg_factor == pytest.approx(float(rows.teacher_score().sum()))
