"""How the forms make a coefficient of pair sums, on sums small enough to check by hand."""

import torch

from mmdet_kdrank.ops import FORMS
from mmdet_kdrank.ops.backends import PairSums

PAIRS = torch.tensor([3.0])
SUMS = PairSums(
    ab=torch.tensor([1.5]),
    aa=torch.tensor([3.0]),
    bb=torch.tensor([0.75]),
    grad_ab=torch.tensor([[1.0, -1.0, 0.0]]),
    grad_aa=torch.tensor([[2.0, 0.0, -2.0]]),
)


def tau_and_grad(form, sums, eps=0.0):
    tau, direction, scale = FORMS[form].combine(sums, PAIRS, eps)
    return tau, direction * scale[:, None]


def test_kendall_is_the_mean_over_pairs():
    tau, grad = tau_and_grad('kendall', SUMS)
    torch.testing.assert_close(tau, torch.tensor([0.5]))
    torch.testing.assert_close(grad, torch.tensor([[1 / 3, -1 / 3, 0.0]]))


def test_cosine_divides_by_both_root_mean_squares():
    # rms(a) = 1, rms(b) = 0.5.
    tau, grad = tau_and_grad('cosine', SUMS)
    torch.testing.assert_close(tau, torch.tensor([1.0]))
    # d(ab) / (P D) - tau rms(b) / (2 rms(a)) d(aa) / (P D), with P = 3 and D = 0.5.
    expected = (torch.tensor([[1.0, -1.0, 0.0]]) - 0.25 * torch.tensor([[2.0, 0.0, -2.0]])) / 1.5
    torch.testing.assert_close(grad, expected)


def test_eps_adds_to_the_denominator():
    tau, _ = tau_and_grad('cosine', SUMS, eps=0.5)
    torch.testing.assert_close(tau, torch.tensor([0.5]))


def test_no_gradient_is_made_where_none_was_asked_for():
    plain = SUMS._replace(grad_ab=None, grad_aa=None)
    assert all(form.combine(plain, PAIRS, 0.1)[1] is None for form in FORMS.values())


def test_constant_logits_have_a_finite_gradient():
    zero = torch.zeros(1)
    sums = SUMS._replace(ab=zero, aa=zero, grad_aa=torch.zeros(1, 3))
    _, grad = tau_and_grad('cosine', sums, eps=0.01)
    assert grad.isfinite().all()


def test_a_broken_row_breaks_its_scale():
    sums = SUMS._replace(ab=torch.tensor([float('nan')]))
    for form in FORMS.values():
        tau, _, scale = form.combine(sums, PAIRS, 0.1)
        assert tau.isnan().all() and scale.isnan().all()
