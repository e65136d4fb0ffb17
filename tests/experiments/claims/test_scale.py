"""The claim would be false if scaled logits turned the ranking loss's gradient."""

import pytest
import torch

from experiments.claims.scale import FACTORS, at_ends, limits, response
from experiments.claims.terms import kd, rank
from tests.experiments.claims.sets import each_set


def within(rows, quantity):
    return [row[quantity] for row in rows if 0.25 <= row['factor'] <= 4]


@each_set
@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_rank_keeps_its_direction_and_kl_does_not(logits, side):
    plain = min(within(response(rank(), logits, side), 'cosine'))
    standardised = min(within(response(rank(standardize=True), logits, side), 'cosine'))
    assert plain > 0.7
    assert standardised > 0.99
    assert min(within(response(kd(logits), logits, side), 'cosine')) < 0.6


@each_set
def test_the_length_falls_as_one_over_the_students_scale(logits):
    """Where the claim ends."""
    rows = response(rank(standardize=True), logits, 'student')
    lengths = torch.tensor([row['length'] * row['factor'] for row in rows])
    torch.testing.assert_close(lengths, torch.ones(len(FACTORS)), rtol=0.02, atol=0)
    teacher = within(response(rank(standardize=True), logits, 'teacher'), 'length')
    assert max(teacher) / min(teacher) < 1.01
    losses = within(rows, 'loss')
    assert max(losses) - min(losses) < 1e-2


def test_the_verdict_says_where_kl_does_better():
    def rows(cosine, length):
        pairs = [(cosine, 1 / length), (1.0, 1.0), (1.0, 1.0)]
        return [
            {'factor': factor, 'cosine': at, 'length': long}
            for factor, (at, long) in zip((0.25, 1.0, 4.0), pairs, strict=True)
        ]

    assert at_ends(rows(0.5, 3.0)) == (0.5, 3.0)
    first = {'KL, T = 1': rows(0.5, 2.0), 'rank': rows(0.9, 3.0)}
    second = {'KL, T = 1': rows(0.95, 4.0), 'rank': rows(0.9, 3.0)}
    text = limits({'rows': {'student': first, 'teacher': second}})
    assert 'turns further in 1 of 2 cases' in text
    assert 'its length better in 1 (rows, student).' in text
    assert 'its length better in 0. ' in limits({'rows': {'teacher': second}})
