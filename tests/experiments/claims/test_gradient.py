"""The claim would be false if KL's gradient did not follow the teacher's probability."""

import pytest
import torch

from experiments.claims.gradient import (
    by_decade,
    claim,
    gradient_share,
    gradient_slope,
)
from experiments.claims.logits import LogitSet
from experiments.claims.terms import kd, rank
from tests.experiments.claims.sets import SETS, each_set

PROBABILITY = torch.tensor([[0.9, 0.09, 0.0095, 0.0004, 0.0001]]).double()
ROW = LogitSet('row', PROBABILITY.log(), PROBABILITY.log(), torch.tensor([0]))


@pytest.mark.parametrize('power', [0, 0.5, 1])
def test_the_slope_is_the_power_of_the_probability(power):
    assert gradient_slope(3 * PROBABILITY**power, ROW) == pytest.approx(power, abs=1e-9)


def test_the_share_is_of_the_gradient_over_that_of_the_channels():
    assert gradient_share(torch.ones(1, 5).double(), ROW) == pytest.approx(1)
    two_of_five = torch.tensor([[6.0, 0, 0, -1, 1]]).double()
    assert gradient_share(two_of_five, ROW) == pytest.approx((2 / 8) / (2 / 5))


def test_decades_hold_medians_of_absolute_values():
    gradient = torch.tensor([[-1.0, 2, 3, 4, 5]]).double()
    assert by_decade(gradient, ROW) == [1, 2, 3, 4, 5, None, None, None]


@each_set
@pytest.mark.parametrize('temperature', [1, 2, 4])
def test_near_the_teacher_kl_follows_the_probability(logits, temperature):
    near = logits.near()
    slope = gradient_slope(kd(near, temperature).gradient(near), near)
    assert slope == pytest.approx(1 / temperature, abs=0.1)
    if temperature == 1:
        assert gradient_share(kd(near).gradient(near), near) < 0.1


@each_set
@pytest.mark.parametrize('form', ['kendall', 'cosine'])
def test_rank_does_not(logits, form):
    for rows in (logits, logits.near()):
        gradient = rank(form=form).gradient(rows)
        assert abs(gradient_slope(gradient, rows)) < 0.25
        assert gradient_share(gradient, rows) > 0.8


def test_a_students_errors_are_what_kl_gives_unlikely_classes():
    """The case where the claim ends: foreground rows of a real student."""
    logits = SETS[0]
    gradient = kd(logits).gradient(logits)
    believed = logits.student.softmax(1) > 1e-3
    assert gradient_share(gradient, logits) > 0.1
    assert gradient_share(gradient * ~(believed & logits.unlikely()), logits) < 0.1


def test_the_record_is_complete():
    measured = claim(SETS[-1:])
    assert measured.data.keys() == {'random', 'random, student near'}
    assert measured.verdict == 'holds'
