"""The claim would be false if rank beside KL left the unlikely classes where KL leaves them."""

import pytest
import torch

from experiments.claims.descent import descend
from experiments.claims.gradient import gradient_share
from experiments.claims.logits import LogitSet
from experiments.claims.rebalance import tau_of_unlikely, towards_teacher
from experiments.claims.terms import kd, rank, together
from tests.experiments.claims.sets import each_set

TEACHER = torch.tensor([[9.0, 8.0, -2.0, -1.0, 0.0]]).double()
STUDENT = torch.tensor([[0.0, 0.0, 1.0, 2.0, 0.0]]).double()
ROW = LogitSet('row', STUDENT, TEACHER, torch.tensor([0]))


def test_tau_counts_the_unlikely_channels_alone():
    assert tau_of_unlikely(STUDENT, ROW) == pytest.approx((1 - 1 - 1) / 3)
    assert tau_of_unlikely(TEACHER, ROW) == 1


def test_the_way_to_the_teacher_is_without_the_mean():
    way = TEACHER - STUDENT
    assert towards_teacher(-way, ROW) == pytest.approx(1)
    assert towards_teacher(3 - way, ROW) == pytest.approx(1)
    assert towards_teacher(way, ROW) == pytest.approx(-1)


@each_set
def test_the_gradient_moves_to_unlikely_classes_with_the_weight(logits):
    shares = [gradient_share(kd(logits).gradient(logits), logits)]
    shares += [gradient_share(together(logits, w).gradient(logits), logits) for w in (0.25, 1, 4)]
    assert shares == sorted(shares)
    # The page's bound, which foreground rows do not keep: 1.6, here as on the page, since the
    # student errs there on unlikely classes, which have a part of KL's gradient already.
    if logits.name == 'foreground':
        assert 1.5 < shares[2] / shares[0] < 2
    else:
        assert shares[2] >= 2 * shares[0]


@each_set
def test_their_order_is_learnt_sooner(logits):
    alone, both = (
        descend(term, logits, logits.student, 1.0, 60).end
        for term in (kd(logits), together(logits))
    )
    assert tau_of_unlikely(both, logits) > tau_of_unlikely(alone, logits) + 0.05


@each_set
def test_near_the_teacher_the_cosine_form_aims_better(logits):
    """Where the claim ends: most of the plain form's gradient points elsewhere there."""
    near = logits.near()
    plain, cosine = (
        towards_teacher(rank(form=form).gradient(near), near) for form in ('kendall', 'cosine')
    )
    assert plain < 0.5 < 0.7 < cosine
