import itertools
import math

import pytest
import torch

from mmdet_kdrank.diagnostics.ranking import ranking, top_overlap

EDGES, TOPK = (0.25, 0.5), (1, 3)


def naive_tau(one, other):
    sign = lambda x: (x > 0) - (x < 0)  # noqa: E731
    pairs = list(itertools.combinations(range(len(one)), 2))
    return sum(sign(one[i] - one[j]) * sign(other[i] - other[j]) for i, j in pairs) / len(pairs)


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 40, 6, generator=generator)
    score = torch.rand(40, generator=generator)
    labels = torch.randint(-1, 7, (40,), generator=generator)
    return student, teacher, score, labels


def test_means_over_groups_of_rows(rows):
    student, teacher, score, labels = rows
    found = ranking(student, teacher, score, labels, 5, edges=EDGES, topk=TOPK)
    taus = [naive_tau(s, t) for s, t in zip(student.tolist(), teacher.tolist(), strict=True)]
    assert found.tau.value == pytest.approx(sum(taus) / 40, abs=1e-6)
    for label in range(5):
        mine = [tau for tau, own in zip(taus, labels.tolist(), strict=True) if own == label]
        assert found.by_class[label].rows == len(mine)
        assert found.by_class[label].value == pytest.approx(sum(mine) / len(mine), abs=1e-6)
    bounds = [0, *EDGES, 1.1]
    for index, mean in enumerate(found.by_score):
        low, high = bounds[index : index + 2]
        mine = [tau for tau, own in zip(taus, score.tolist(), strict=True) if low <= own < high]
        assert (mean.rows, mean.value) == (
            len(mine),
            pytest.approx(sum(mine) / len(mine), abs=1e-6),
        )


def test_agreement_at_the_top(rows):
    student, teacher, score, labels = rows
    found = ranking(student, teacher, score, labels, 5, edges=EDGES, topk=(1, 3, 6, 7))
    expected = {}
    for k in (1, 3, 6):
        best = [[set(row.argsort()[-k:].tolist()) for row in side] for side in (student, teacher)]
        shares = [len(a & b) / k for a, b in zip(*best, strict=True)]
        expected[k] = pytest.approx(sum(shares) / len(shares))
    assert found.topk == expected
    assert torch.equal(top_overlap(student, teacher, 6), torch.ones(40))


def test_groups_without_a_row_have_no_mean(rows):
    student, teacher, _, _ = rows
    none = ranking(student, teacher, torch.zeros(40), None, 5, edges=EDGES, topk=())
    assert none.by_class == []
    assert [mean.rows for mean in none.by_score] == [40, 0, 0]
    assert math.isnan(none.by_score[1].value)


def test_many_classes_are_compared_on_fewer_rows(rows, monkeypatch):
    student, teacher, score, labels = rows
    monkeypatch.setattr('mmdet_kdrank.diagnostics.ranking.MAX_PAIRS', 36 * 10)
    found = ranking(student, teacher, score, labels, 5, edges=EDGES, topk=(1,))
    every = ranking(student[::4], teacher[::4], score[::4], labels[::4], 5, edges=EDGES, topk=(1,))
    assert found.tau == every.tau and found.tau.rows == 10 and found.topk == every.topk
