"""The claim would be false if scaled logits turned the ranking loss's gradient."""

import pytest
import torch

from mmdet_kdrank.analysis.claims.scale import FACTORS, response
from mmdet_kdrank.analysis.claims.terms import kd, rank
from tests.analysis.claims.sets import each_set


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
