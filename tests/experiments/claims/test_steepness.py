"""The claim would be false if a steep surrogate were no nearer to the sign, or learnt as fast."""

import pytest

from experiments.claims.optima import residual
from experiments.claims.steepness import effect
from experiments.claims.terms import rank
from tests.experiments.claims.sets import SETS, each_set


@each_set
def test_steep_is_near_the_hard_coefficient_and_learns_slowly(logits):
    flat, middle, steep = (effect(logits.first(20), k) for k in (0.1, 1.0, 30.0))
    itself = 'tau of the teacher with itself'
    assert flat[itself] < middle[itself] < steep[itself]
    assert steep[itself] > 0.95
    assert steep['off the hard tau'] < 0.05 < flat['off the hard tau']
    assert middle['tau learnt'] > max(flat['tau learnt'], steep['tau learnt']) + 0.1
    assert max(row['of the bound'] for row in (flat, middle, steep)) <= 1


@pytest.mark.parametrize('logits', SETS[-1:], ids=['random'])
def test_the_push_at_the_teacher_vanishes_only_at_extreme_steepness(logits):
    """Where the claim ends; 1e6 is beyond any gap of these rows."""
    assert residual(rank(steepness=30.0), logits) > residual(rank(), logits)
    row = logits.first(1)
    assert rank(steepness=1e6).gradient(row, row.teacher).abs().max() < 1e-9
