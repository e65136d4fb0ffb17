"""The counts of the paper bound, against arithmetic that counts itself and gives the gradient."""

import pytest
import torch

from benchmarks.limit import pair_work, work
from tests.benchmarks.limit import tally

C = 5
UNITS = ('exponentials', 'reciprocals', 'additions', 'multiplications')


@pytest.fixture
def logits():
    s, t = torch.randn(2, C, dtype=torch.float64)
    return s.requires_grad_(), t


def sums(s, t):
    """The sums of a b, a a and b b over unordered pairs, by definition."""
    i, j = torch.triu_indices(C, C, 1)
    a, b = torch.tanh(s[i] - s[j]), torch.tanh(t[i] - t[j])
    return (a * b).sum(), (a * a).sum(), (b * b).sum()


@pytest.mark.parametrize(
    ('write', 'antisymmetry'), [(tally.kendall, True), (tally.kendall_ordered, False)]
)
def test_kendall_is_computed_by_what_is_counted(logits, write, antisymmetry):
    s, t = logits
    ab, *_ = sums(s, t)
    counter = tally.Tally()
    totals, grad = write(counter, s.tolist(), t.tolist())

    assert totals == pytest.approx(ab.item())
    assert grad == pytest.approx(torch.autograd.grad(ab, s)[0].tolist())
    counted = work(1, C, 'kendall', antisymmetry)
    assert {unit: getattr(counted, unit) for unit in UNITS} == dict(counter.count)


def test_cosine_is_computed_by_what_is_counted(logits):
    s, t = logits
    ab, aa, bb = sums(s, t)
    counter = tally.Tally()
    totals, grad = tally.cosine(counter, s.tolist(), t.tolist())

    assert totals == pytest.approx([ab.item(), aa.item(), bb.item()])
    assert grad == pytest.approx(torch.autograd.grad(ab - 3 * aa, s)[0].tolist())
    counted = work(1, C, 'cosine')
    assert {unit: getattr(counted, unit) for unit in UNITS} == dict(counter.count)


@pytest.mark.parametrize('form', ['kendall', 'cosine'])
def test_work_grows_with_rows_and_pairs(form):
    one = work(1, 7, form)
    assert work(6, 7, form) == tuple(6 * count for count in one)
    assert one.reciprocals == 21
    assert work(1, 7, form, antisymmetry=False).reciprocals == 42
    # Read 2 x 7 logits, write 7 derivatives and tau.
    assert one.bytes == 4 * (14 + 7 + 1)


def test_one_class_has_no_ranking():
    with pytest.raises(ValueError, match='C = 1: a ranking needs at least 2'):
        work(8, 1)


@pytest.mark.parametrize('form', ['kendall', 'cosine'])
def test_antisymmetry_saves_a_reciprocal_and_nearly_half_the_arithmetic(form):
    once, both = pair_work(form), pair_work(form, antisymmetry=False)
    assert 2 * once[2] == both[2]
    assert 0.5 < sum(once) / sum(both) < 0.65


@pytest.mark.parametrize('gap', [1.0, 1e-4])
def test_squares_are_as_accurate_as_differences(gap):
    """The gradient of float32 by w = d(q^2) r^2, beside w = dq r (r Q), near ties included."""
    s, t = (3 * torch.randn(2, 64, 20)).repeat_interleave(2, 2) + gap * torch.randn(2, 64, 40)
    a, b = (x.double()[:, :, None] - x.double()[:, None] for x in (s, t))
    true = ((1 - a.tanh() ** 2) * b.tanh()).sum(2)

    p, q = (2 * s).exp(), (2 * t).exp()
    sums_q = q[:, :, None] + q[:, None]
    r = 1 / ((p[:, :, None] + p[:, None]) * sums_q)
    squares = ((q**2)[:, :, None] - (q**2)[:, None]) * r * r
    differences = (q[:, :, None] - q[:, None]) * r * (sums_q * r)
    errors = [
        ((4 * p * (p[:, None] * w).sum(2) - true).norm() / true.norm()).item()
        for w in (squares, differences)
    ]
    assert errors[0] < 1.3 * errors[1] < 1e-6
