import math

import pytest
import torch

from experiments.claims.descent import (
    descend,
    divergence,
    random_start,
    shares_reached,
)
from experiments.claims.logits import LogitSet, random_logits
from experiments.claims.terms import Term, kd
from mmdet_kdrank.losses import LogitMSELoss

LOGITS = random_logits(rows=5)


def test_a_quadratic_is_descended_as_the_formula_says():
    """Each step of rate r takes the gap times 1 - 2 r / C."""
    start = random_start(LOGITS)
    end = descend(Term('MSE', (LogitMSELoss(),)), LOGITS, start, 1.4, 10).end
    factor = (1 - 2 * 1.4 / 28) ** 10
    torch.testing.assert_close(end - LOGITS.teacher, factor * (start - LOGITS.teacher))


def test_the_trace_begins_at_the_start_and_ends_at_the_end():
    descent = descend(kd(LOGITS), LOGITS, LOGITS.student, 1.0, 50)
    assert descent.steps[0] == 0
    assert descent.steps[-1] == 50
    assert descent.divergence[0] == pytest.approx(divergence(LOGITS.student, LOGITS).mean().item())
    assert descent.divergence[-1] == pytest.approx(divergence(descent.end, LOGITS).mean().item())
    assert {*map(len, descent.trace().values())} == {len(descent.steps)}


def test_divergence_is_kl():
    teacher = torch.tensor([[0.5, 0.5]]).double().log()
    student = torch.tensor([[0.75, 0.25]]).double().log()
    labels = torch.tensor([0])
    softmax = divergence(student, LogitSet('row', student, teacher, labels))
    assert softmax.item() == pytest.approx(0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(2))
    zeros = torch.zeros(1, 1).double()
    coin = LogitSet('row', zeros, zeros, labels, 'sigmoid')
    three_quarters = divergence(torch.full((1, 1), 3.0).double().log(), coin)
    assert three_quarters.item() == pytest.approx(softmax.item())


def test_what_counts_as_reached():
    shifted = LOGITS.teacher + 7
    assert shares_reached(shifted, LOGITS) == (1, 1, 1)
    assert shares_reached(2 * LOGITS.teacher, LOGITS)[0] == 1
    assert shares_reached(2 * LOGITS.teacher, LOGITS)[2] == 0
    assert shares_reached(-LOGITS.teacher, LOGITS) == (0, 0, 0)
