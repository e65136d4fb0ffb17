"""The claim would be false if descents ended elsewhere."""

import pytest

from experiments.claims.descent import descend, random_start, shares_reached
from experiments.claims.optima import residual
from experiments.claims.terms import kd, rank, together
from mmdet_kdrank.ops import kendall_tau
from tests.experiments.claims.sets import each_set


@pytest.mark.slow
@each_set
def test_rank_reaches_the_order_and_kl_the_distribution(logits):
    logits = logits.first(16)
    start = random_start(logits)
    reached = {
        name: shares_reached(descend(term, logits, start, 1.0, 700).end, logits)
        for name, term in {'kl': kd(logits), 'rank': rank(), 'both': together(logits)}.items()
    }
    assert reached['kl'][0] < 0.2
    assert reached['kl'][1] >= 0.95
    assert reached['rank'][0] >= 0.95
    assert reached['rank'][1] < 0.2
    assert min(reached['both'][:2]) >= 0.95
    assert all(values == 0 for _, _, values in reached.values())


@each_set
def test_the_plain_form_is_not_at_rest_at_the_teacher(logits):
    assert residual(kd(logits), logits) < 1e-9
    assert residual(rank(), logits) > 0.05
    assert residual(rank(form='cosine'), logits) < 0.01
    tau = kendall_tau(logits.teacher, logits.teacher)
    assert tau.max() < 1
    hard = kendall_tau(logits.teacher, logits.teacher, surrogate='sign')
    assert hard.min().item() == pytest.approx(1)
